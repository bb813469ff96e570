/** The load as a process of its own: it must not share an event loop with anything that it measures. */
import { answerWith } from '../processes/parent.ts'
import { runLoad } from './load.ts'

answerWith(runLoad)
