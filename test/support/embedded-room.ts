import { chmodSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import { openDataFolder } from '../../src/embedded/data-folder.ts'
import { startEmbeddedPostgres } from '../../src/embedded/embedded-postgres.ts'
import type { EmbeddedPostgres, EmbeddedPostgresOptions } from '../../src/embedded/embedded-postgres.ts'
import { query, startHolder } from './embedded-processes.ts'
import type { Holder, HolderPlace } from './embedded-processes.ts'

/** A folder for one test, and what runs in it until the test is over. */
export class Room {
  /** The real path of a temporary folder that every user can pass through. */
  path = ''
  /** Where a start has its data folder, if the test names no other. */
  dataDir = ''
  readonly #running: (() => Promise<void>)[] = []

  open(): void {
    this.path = makePassableFolder()
    this.dataDir = join(this.path, 'data')
  }

  async close(): Promise<void> {
    await Promise.all(this.#running.splice(0).map((stop) => stop()))
    rmSync(this.path, { recursive: true, force: true })
  }

  /** Starts Postgres in this process. */
  async start(more: Partial<EmbeddedPostgresOptions> = {}): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres(this.#optionsOf(more))
    this.#running.push(() => postgres.stop())
    return postgres
  }

  /** Starts Postgres in a process of its own, which can be killed. */
  hold(more: Partial<EmbeddedPostgresOptions> = {}, place: Partial<HolderPlace> = {}): Holder {
    const holder = startHolder(this.#optionsOf(more), { tmpdir: this.path, ...place })
    this.#running.push(() => holder.end())
    return holder
  }

  #optionsOf(more: Partial<EmbeddedPostgresOptions>): EmbeddedPostgresOptions {
    const { path, dataDir } = this
    const settings = { fsync: 'off' }
    return { dataDir, ephemeral: false, settings, sharedFolder: join(path, 'shared'), ...more }
  }
}

/** A room for each test of the file. */
export function useRoom(): Room {
  const room = new Room()
  beforeEach(() => {
    room.open()
  })
  afterEach(() => room.close())
  return room
}

/**
 * The data folder of a service that ran before, with a table `note`: made once, because that takes a second. Tests
 * of one file share it, and leave it in order.
 */
export function useUsedDataFolder(): () => string {
  const dataDir = join(makePassableFolder(), 'data')
  beforeAll(async () => {
    const folder = openDataFolder(dataDir)
    const postgres = await startEmbeddedPostgres({ dataDir, ephemeral: false, settings: { fsync: 'off' } })
    await query(postgres.url, 'create table note (id int)')
    await postgres.stop()
    folder.close()
  })
  afterAll(() => {
    rmSync(dirname(dataDir), { recursive: true })
  })
  return () => dataDir
}

export async function notesIn(url: string): Promise<number> {
  return (await query(url, 'select id from note')).length
}

function makePassableFolder(): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'vault-test-')))
  chmodSync(folder, 0o755)
  return folder
}
