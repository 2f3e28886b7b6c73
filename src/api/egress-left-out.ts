/** Longest text of a target that is looked for: it is in the status of its ArmorProfile, too, which the API server bounds. */
export const MAX_TARGET_TEXT = 4_096

/** Why no address of a target is looked for: there is no room for its addresses, or for its conditions, or its text is too long. */
export const egressLeftOut = ['room', 'conditions', 'selector'] as const
export type EgressLeftOut = (typeof egressLeftOut)[number]

/** In words, with what helps. */
export const whyLeftOut: Readonly<Record<EgressLeftOut, string>> = {
  room: 'the selectors of the policies in its namespace match more objects than the quota allows; use fewer different selectors, or selectors that match fewer objects',
  conditions:
    'too many selectors use its label, or no label at all; select by a label that few objects have, or name the namespace or the Service',
  selector: `its selector is longer than ${MAX_TARGET_TEXT} characters; split it into several rules`,
}
