export const canaryPath = 'spec.strategy.canary'
