import type { Static } from 'typebox'
import { Type } from 'typebox'
import { Text, UUID_OR_EMPTY } from './common.ts'

export const EventsQuery = Type.Object(
  {
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, default: 100 })),
    cursor: Type.Optional(Text({ pattern: UUID_OR_EMPTY, description: '`next_cursor` of the page before.' })),
  },
  { additionalProperties: false },
)
export type EventsQuery = Static<typeof EventsQuery>

export const Event = Type.Object(
  {
    id: Type.String(),
    type: Type.String({ description: 'As `token.updated` or `renewal.failed`; there may come more.' }),
    at: Type.String({ format: 'date-time' }),
    actor: Type.String({
      description: 'The id of an API key; `refresher`, the vault itself; `cli`, the command line.',
    }),
    token_id: Type.Optional(Type.String({ description: 'Absent where it happened to no token.' })),
    outcome: Type.Optional(
      Type.String({ description: 'Of a renewal, an exchange or a revocation: `ok`, or why it failed.' }),
    ),
    detail: Type.Optional(
      Type.Unsafe<Record<string, string | number | boolean | string[]>>({
        type: 'object',
        additionalProperties: true,
        description: 'More about it, by type: error codes, names of fields, ids. Never a secret.',
      }),
    ),
  },
  { title: 'Event' },
)
export type Event = Static<typeof Event>

export const EventPage = Type.Object({
  events: Type.Array(Event, { description: 'Newest first.' }),
  next_cursor: Type.Optional(Type.String({ description: 'Absent on the last page.' })),
})
