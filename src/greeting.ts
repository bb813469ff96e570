import type { Backing } from './open-backing.ts'

/** What the terminal shows when the service serves; the API key only at the first start. */
export function greeting(url: string, backing: Backing): string {
  const { embeddedIn, isNewKey, bootstrapKey } = backing
  const lines = [`token-vault serves on ${url} (API: ${url}/docs)`]
  if (embeddedIn !== null) lines.push(`Its data is kept by an embedded Postgres in ${embeddedIn}`)
  if (isNewKey && bootstrapKey !== null) {
    const key = bootstrapKey.reveal()
    lines.push(
      '',
      `The first API key, shown this once: ${key}`,
      'List the tokens with it:',
      '',
      `  curl -H 'Authorization: Bearer ${key}' ${url}/v1/tokens`,
      '',
    )
  }
  return lines.join('\n')
}
