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

/** By which scopes each is granted: of those that read, each allows what stands before it as well. */
const GRANTED_BY: Readonly<Record<Scope, readonly Scope[]>> = {
  'tokens:list': ['tokens:list', 'tokens:use', 'tokens:read'],
  'tokens:use': ['tokens:use', 'tokens:read'],
  'tokens:read': ['tokens:read'],
  'tokens:write': ['tokens:write'],
  'tokens:delete': ['tokens:delete'],
  admin: ['admin'],
}

/** Who calls: an API key, which belongs to one namespace. */
export interface Caller {
  keyId: string
  namespaceId: string
  scopes: ReadonlySet<Scope>
}

export function allows({ scopes }: Pick<Caller, 'scopes'>, scope: Scope): boolean {
  return GRANTED_BY[scope].some((granting) => scopes.has(granting))
}
