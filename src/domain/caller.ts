/** What an API key may allow. `docs/operate.md` says what each means; `http/route-rules.ts` which route asks for it. */
export const SCOPES = [
  'tokens:list',
  'tokens:use',
  'tokens:read',
  'tokens:write',
  'tokens:delete',
  'admin',
] as const
export type Scope = (typeof SCOPES)[number]

/** Each of these allows what stands before it as well. */
const READING: readonly Scope[] = ['tokens:list', 'tokens:use', 'tokens:read']

/** Who calls: an API key, which belongs to one namespace. */
export interface Caller {
  keyId: string
  namespaceId: string
  scopes: ReadonlySet<Scope>
}

export function allows({ scopes }: Pick<Caller, 'scopes'>, scope: Scope): boolean {
  const level = READING.indexOf(scope)
  return level === -1 ? scopes.has(scope) : READING.slice(level).some((granting) => scopes.has(granting))
}
