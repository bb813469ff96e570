import type { TestDatabase } from './database.ts'
import type { Statement } from './query-log.ts'

/** A node of a plan, as `explain (format json)` prints it: what matters here. */
export interface PlanNode {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  'Index Cond'?: string
  'Sort Key'?: string[]
  Plans?: PlanNode[]
}

type Explained = Record<'QUERY PLAN', { Plan: PlanNode }[]>

/** What `explain` takes. */
const PLANNED = /^\s*(?:\/\*.*?\*\/)?\s*(with|select|insert|update|delete)\b/i

/**
 * The nodes of two plans of a statement: for these very values, and the generic one, which Postgres may take where it
 * was prepared. None of what has no plan.
 */
export async function planNodes(
  database: Pick<TestDatabase, 'query'>,
  { text, values }: Statement,
): Promise<PlanNode[]> {
  if (!PLANNED.test(text)) return []
  const custom = await database.query<Explained>(`explain (format json) ${text}`, values)
  const generic = await database.query<Explained>(`explain (generic_plan, format json) ${text}`)
  return [...custom, ...generic].flatMap((row) => row['QUERY PLAN'].flatMap(({ Plan }) => withChildren(Plan)))
}

function withChildren(node: PlanNode): PlanNode[] {
  return [node, ...(node.Plans ?? []).flatMap(withChildren)]
}

/**
 * How a node reaches rows, in words: `tokens_pkey (namespace_id, id)` is an index with the columns that bound the part
 * of it, `Seq Scan of tokens` all of a table. Null of other nodes.
 */
export function accessPath(node: PlanNode): string | null {
  const { 'Node Type': type, 'Relation Name': table, 'Index Name': index } = node
  if (index !== undefined) return `${index} (${boundColumns(node['Index Cond']).join(', ')})`
  return type.endsWith('Seq Scan') && table !== undefined ? `${type} of ${table}` : null
}

/** `((namespace_id = $1) AND (id > 'a'::text))` bounds namespace_id and id. */
function boundColumns(condition = ''): (string | undefined)[] {
  const comparisons = condition.matchAll(/\(+"?(\w+)"?(?:\([^()]*\))?\)?(?:::\w+)? (?:=|<|>|<=|>=) /g)
  return [...comparisons].map(([, column]) => column)
}
