import pg from 'pg'

/** What was sent to Postgres, prepared or not. */
export interface Statement {
  text: string
  values: unknown[]
}

type Query = (...args: unknown[]) => unknown
const prototype = pg.Client.prototype as unknown as { query: Query }
const query = prototype.query

/**
 * Hands every statement of connections that are made from here on to `pass`, which says what goes to Postgres in its
 * place. Returns the way back.
 */
export function interceptQueries(pass: (statement: Statement) => string): () => void {
  prototype.query = function (this: unknown, given, ...more) {
    const config = (typeof given === 'string' ? { text: given, values: more[0] } : given) as pg.QueryConfig<
      unknown[]
    >
    const values = Array.isArray(config.values) ? config.values : []
    const text = pass({ text: config.text, values })
    if (text === config.text) return query.call(this, given, ...more)
    if (typeof given === 'string') return query.call(this, text, ...more)
    // What is prepared under a name stays what it is.
    return query.call(this, { ...config, text, name: config.name && `${config.name}, altered` }, ...more)
  }
  return () => {
    prototype.query = query
  }
}

/** Every statement from here on. */
export function logQueries(): {
  /** What the work sends, in its order, and whatever else is sent meanwhile. */
  during(work: () => Promise<unknown>): Promise<Statement[]>
  stop: () => void
} {
  let statements: Statement[] = []
  const stop = interceptQueries((statement) => {
    statements.push(statement)
    return statement.text
  })
  return {
    async during(work) {
      statements = []
      await work()
      return statements
    },
    stop,
  }
}
