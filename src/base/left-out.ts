/** Key for the reason that only an object's outline is kept. The API server's objects do not have it. */
const reason = Symbol('why only its outline is kept')

/** Marks an object's outline with the reason that only it is kept. */
export const outlined = <T extends object>(outline: T, why: string): T => ({ ...outline, [reason]: why })

/** Why only the object's outline is kept; undefined for a whole object. */
export const whyOutlined = (object: object): string | undefined => (object as { [reason]?: string })[reason]
