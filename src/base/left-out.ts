/** Key of the reason why only the outline of an object is kept. No object of the API server contains this symbol. */
const reason = Symbol('why only its outline is kept')

/** Adds to an object's outline the reason why only the outline is kept. */
export const outlined = <T extends object>(outline: T, why: string): T => ({ ...outline, [reason]: why })

/** Why only the outline of the object is kept; undefined for a complete object. */
export const whyOutlined = (object: object): string | undefined => (object as { [reason]?: string })[reason]
