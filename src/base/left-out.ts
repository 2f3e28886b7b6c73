/** Why only the outline of an object is kept. No object of the API server has it. */
const reason = Symbol('why only its outline is kept')

/** Notes that this is the outline of an object, and why no more is kept. */
export const outlined = <T extends object>(outline: T, why: string): T => ({ ...outline, [reason]: why })

/** Why only the outline of the object is kept; undefined for a whole one. */
export const whyOutlined = (object: object): string | undefined => (object as { [reason]?: string })[reason]
