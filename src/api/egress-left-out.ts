/**
 * Maximum length of the text of a target whose addresses the manager looks up. The status of the ArmorProfile contains
 * this text, and the API server limits the size of a status.
 */
export const MAX_TARGET_TEXT = 4_096

/**
 * Why the manager does not look up the addresses of a target: the quota for addresses or for conditions is used up, or
 * the text of the target is too long.
 */
export const egressLeftOut = ['room', 'conditions', 'selector'] as const
export type EgressLeftOut = (typeof egressLeftOut)[number]

/** The reasons as sentences for users. Each sentence has a remedy. */
export const whyLeftOut: Readonly<Record<EgressLeftOut, string>> = {
  room: 'the selectors of all policies in the namespace match more objects than the quota allows; use fewer different selectors, or selectors that match fewer objects',
  conditions:
    'too many selectors use the same label, or do not use a label; select by a label that few objects have, or name the namespace or the Service',
  selector: `its selector is longer than ${MAX_TARGET_TEXT} characters; split it into several rules`,
}
