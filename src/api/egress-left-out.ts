/**
 * Longest text of a target whose addresses are looked for. The ArmorProfile's status contains the text, and the API
 * server bounds it.
 */
export const MAX_TARGET_TEXT = 4_096

/**
 * Why a target's addresses are not looked for: no room for its addresses or for its conditions, or its text is too
 * long.
 */
export const egressLeftOut = ['room', 'conditions', 'selector'] as const
export type EgressLeftOut = (typeof egressLeftOut)[number]

/** The reasons in words, each with its remedy. */
export const whyLeftOut: Readonly<Record<EgressLeftOut, string>> = {
  room: 'the selectors of the policies in its namespace match more objects than the quota allows; use fewer different selectors, or selectors that match fewer objects',
  conditions:
    'too many selectors use its label, or no label at all; select by a label that few objects have, or name the namespace or the Service',
  selector: `its selector is longer than ${MAX_TARGET_TEXT} characters; split it into several rules`,
}
