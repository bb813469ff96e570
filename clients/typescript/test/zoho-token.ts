import * as sdk from '@zohocrm/typescript-sdk-8.0'

export const apiKey = `tv_app_${'k'.repeat(43)}`

/** A token as an application configures it. */
export interface Configured {
  id?: string
  user?: string
  client?: string
  grant?: string
  refresh?: string
  access?: string
}

export function tokenOf({ id, user, client, grant, refresh, access }: Configured): sdk.OAuthToken {
  const builder = new sdk.OAuthBuilder()
  if (id !== undefined) builder.id(id)
  if (user !== undefined) builder.userSignature(new sdk.UserSignature(user))
  if (client !== undefined) builder.clientId(client).clientSecret(`secret of ${client}`)
  if (grant !== undefined) builder.grantToken(grant)
  if (refresh !== undefined) builder.refreshToken(refresh)
  if (access !== undefined) builder.accessToken(access)
  return builder.build()
}

/** The SDK's exception that a store's method rejects with. */
export async function exceptionOf(
  promise: Promise<unknown>,
): Promise<{ code: string; message: string; cause: unknown }> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (!(error instanceof sdk.SDKException)) throw new Error('not the exception of the SDK', { cause: error })
  return error as unknown as { code: string; message: string; cause: unknown }
}
