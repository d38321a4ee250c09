export { deleteJobsOf } from './job.ts'
export { createKept, type Kept } from './kept.ts'
export { defaultDeadlineMs, type Measured, type MeasureInput, type Provider } from './provider.ts'
export { providerOf } from './registry.ts'
