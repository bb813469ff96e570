import type { Stage } from '../zoho-stage.ts'

/** The proof of one line of clients/behaviours.json, by its id; run with each SDK. */
export type Behaviours = Record<string, (stage: Stage) => Promise<void>>
