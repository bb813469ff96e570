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
  prototype.query = function (this: unknown, config, ...more) {
    if (typeof config === 'string') {
      const values = Array.isArray(more[0]) ? more[0] : []
      return query.call(this, pass({ text: config, values }), ...more)
    }
    const { text, values = [] } = config as { text: string; values?: unknown[] }
    return query.call(this, Object.assign(config as object, { text: pass({ text, values }) }), ...more)
  }
  return () => {
    prototype.query = query
  }
}

/** Every statement from here on. */
export function logQueries(): {
  /** What the work sends, in its order, and whatever else is sent meanwhile. */
  during(work: () => Promise<unknown>): Promise<Statement[]>
  stop(): void
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
