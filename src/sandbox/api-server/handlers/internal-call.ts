/** The user as whom the server itself acts. */
export const serverUser = { name: 'system:apiserver', groups: ['system:masters', 'system:authenticated'] } as const
