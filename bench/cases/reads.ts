import { INSTALL_PGBENCH, runPgbench } from '../baselines/pgbench.ts'
import { underLoad } from '../contenders.ts'
import type { RequestName } from '../load/requests.ts'
import type { CaseResult, Verdict } from '../report/case-result.ts'
import { atLeast, atMost } from '../report/case-result.ts'
import type { Contender, Figures } from '../rounds.ts'
import { byTurns, p50Of, p99Of, perSecondOf, ratio, rowsOf } from '../rounds.ts'
import type { World } from '../world/world.ts'

interface Read {
  title: string
  vault: RequestName
  handWritten: RequestName
  connections: number
  /** Beside Fastify's hello, too, and the most that is to be had by hand. */
  extremes?: boolean
}

const CONNECTIONS = 32

export const find: Read = {
  title: 'Find by user, 32 connections',
  vault: 'find',
  handWritten: 'handWrittenFind',
  connections: CONNECTIONS,
  extremes: true,
}
export const findByRefreshToken: Read = {
  title: 'Find by refresh token, 32 connections',
  vault: 'findByRefreshToken',
  handWritten: 'handWrittenFindByRefreshToken',
  connections: CONNECTIONS,
}
export const get: Read = {
  title: 'Find by id, 32 connections',
  vault: 'get',
  handWritten: 'handWrittenGet',
  connections: CONNECTIONS,
}
export const accessToken: Read = {
  title: 'Access token by id, 32 connections',
  vault: 'accessToken',
  handWritten: 'handWrittenAccessToken',
  connections: CONNECTIONS,
}
export const accessTokenAlone: Read = {
  ...accessToken,
  title: 'Access token by id, 1 connection',
  connections: 1,
}
export const findAlone: Read = {
  ...find,
  title: 'Find by user, 1 connection',
  connections: 1,
  extremes: false,
}

/** A read beside the hand-written one, what Postgres gives, and what Fastify takes. */
export const reading =
  (read: Read) =>
  async (world: World): Promise<CaseResult> => {
    const { connections } = read
    const keys = world.database.readers
    const contenders: Record<string, Contender> = {
      vault: underLoad(world, world.vault, { request: read.vault, connections, keys }),
      'hand-written': underLoad(world, world.handWritten, { request: read.handWritten, connections, keys }),
      ...(world.pgbench !== null && { pgbench: pgbenchOf(world, world.pgbench, connections) }),
      ...(read.extremes === true && {
        'hand-written, in batches': underLoad(world, world.handWritten, {
          request: 'handWrittenFindInBatches',
          connections,
          keys,
        }),
        'Fastify hello': underLoad(world, world.hello, { request: 'hello', connections, keys }),
      }),
    }
    const rounds = await byTurns(contenders, world.options.rounds)
    return {
      title: read.title,
      rows: rowsOf(rounds),
      verdicts: connections === 1 ? verdictsAlone(rounds) : verdictsOf(rounds),
      notes: world.pgbench === null ? [INSTALL_PGBENCH] : [],
    }
  }

function pgbenchOf({ database, options }: World, program: string, clients: number): Contender {
  const { url: databaseUrl, tokens } = database
  return () => runPgbench({ program, databaseUrl, tokens, clients, seconds: options.secondsPerRound })
}

type Rounds = Record<string, Figures[]>

function verdictsOf({ vault = [], 'hand-written': handWritten = [], pgbench = [] }: Rounds): Verdict[] {
  return [
    atLeast('throughput to the hand-written one', ratio(vault, handWritten, perSecondOf), 2, ' ×'),
    ...(pgbench.length > 0
      ? [atLeast('throughput to pgbench', ratio(vault, pgbench, perSecondOf), 0.45, ' ×')]
      : []),
    atMost('p99 to the hand-written one', ratio(vault, handWritten, p99Of), 1, ' ×'),
  ]
}

function verdictsAlone({ vault = [], 'hand-written': handWritten = [] }: Rounds): Verdict[] {
  return [atMost('p50 to the hand-written one', ratio(vault, handWritten, p50Of), 1.3, ' ×')]
}
