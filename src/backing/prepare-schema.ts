import type { Database } from '../store/database.ts'
import { createDatabase } from '../store/database.ts'
import { checkSchema, migrate } from '../store/migrate.ts'
import type { Backing } from './open-backing.ts'

/** The embedded Postgres is the service's own to migrate; any other one is only checked. */
export async function prepareSchema({ db }: Database, { urls, embeddedIn }: Backing): Promise<void> {
  if (embeddedIn === null) {
    await checkSchema(db)
    return
  }
  const onLost = () => undefined
  const patient = createDatabase({ urls, size: 1, name: 'token-vault migrate', patient: true, onLost })
  await migrate(patient.db).finally(() => patient.close())
}
