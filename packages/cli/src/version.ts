/** The version of this release, and of Argo Rollouts whose behaviour it follows. */
export const version = 'v1.10.0+serinus.0.1.0'
