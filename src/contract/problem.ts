import type { Static } from 'typebox'
import { Type } from 'typebox'

/** RFC 9457. */
export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    detail: Type.String(),
    code: Type.String({ description: 'The one to branch on.' }),
    request_id: Type.String({ description: 'Finds the request in the log.' }),
    errors: Type.Optional(
      Type.Array(Type.Object({ pointer: Type.String({ description: 'RFC 6901' }), detail: Type.String() }), {
        description: 'Where the request is wrong. With `not_found`: the path is no route of the vault.',
      }),
    ),
    matches: Type.Optional(Type.Array(Type.String(), { description: 'Ids of the tokens that match.' })),
    token_id: Type.Optional(Type.String({ description: 'The token that owns the identity.' })),
  },
  { title: 'Problem' },
)
export type Problem = Static<typeof Problem>

export const PROBLEM_TYPE = 'application/problem+json'
