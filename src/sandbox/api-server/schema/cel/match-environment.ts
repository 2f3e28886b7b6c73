import { celEnvironment } from './program.ts'

/** What the `matchConditions` of webhooks are written over. `authorizer` has no counterpart here: a condition that asks it fails. */
export const matchEnvironment = celEnvironment(['object', 'oldObject', 'request', 'authorizer'])
