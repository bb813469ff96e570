import type { Static } from 'typebox'
import { Type } from 'typebox'
import { PRINTABLE, TEXT_LIMIT, TIME_OR_NEVER } from './common.ts'

const SCOPES = ['tokens:list', 'tokens:use', 'tokens:read', 'tokens:write', 'tokens:delete', 'admin'] as const
/** Of one type: in a union's list each item would be compared with each other one to see whether all are unique. */
const Scope = Type.Unsafe<(typeof SCOPES)[number]>({ type: 'string', enum: SCOPES })

export const KeyBody = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: TEXT_LIMIT,
      pattern: PRINTABLE,
      description: 'What it is for.',
    }),
    scopes: Type.Array(Scope, { minItems: 1, uniqueItems: true }),
    expires_at: Type.Optional(
      Type.Unsafe<string | null>({
        type: ['string', 'null'],
        pattern: TIME_OR_NEVER,
        description: 'A time, or `never`; in 90 days where absent.',
      }),
    ),
  },
  { additionalProperties: false },
)
export type KeyBody = Static<typeof KeyBody>

const fields = {
  id: Type.String({ description: 'The part of the key that may be seen.' }),
  name: Type.String(),
  scopes: Type.Array(Scope),
  created_at: Type.String({ format: 'date-time' }),
  expires_at: Type.Optional(Type.String({ format: 'date-time', description: 'Absent: never.' })),
  last_used_at: Type.Optional(
    Type.String({ format: 'date-time', description: 'Written at most once a minute.' }),
  ),
}

export const Key = Type.Object(fields, { title: 'Key' })
export type Key = Static<typeof Key>

export const NewKey = Type.Object(
  { ...fields, key: Type.String({ description: 'The key itself, shown this once.' }) },
  { title: 'NewKey' },
)

export const KeyList = Type.Object({ keys: Type.Array(Key) })
