/** The version of this release, and of Argo Rollouts whose behaviour it follows. */
export const version = 'v1.10.0+serinus.0.1.0'

/** Of which sources a release was made; these are the values of sources that run as they are. */
export const build = { date: '1970-01-01T00:00:00Z', commit: '', treeState: '' } as const
