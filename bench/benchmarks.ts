import { analysis } from './analysis.ts'
import { demo, getRollout } from './commands.ts'
import type { Figure } from './figure.ts'
import { latency } from './latency.ts'
import { notifications, outage } from './notifications.ts'
import { controllerProcess, type ProcessOptions } from './process.ts'
import { sequential } from './sequential.ts'
import { apiOutage, virtualDay, virtualHour } from './simulation.ts'
import { thousand } from './thousand.ts'
import { idle, promotedWrites, writes } from './writes.ts'

/** Every benchmark by the name that `npm run bench -- NAME` takes. */
export const benchmarks: Readonly<
  Record<string, (options: ProcessOptions) => Promise<readonly Figure[]>>
> = {
  writes,
  'promoted-writes': promotedWrites,
  idle,
  thousand,
  process: controllerProcess,
  'virtual-hour': virtualHour,
  'virtual-day': virtualDay,
  'api-outage': apiOutage,
  latency,
  analysis,
  notifications,
  outage,
  'get-rollout': getRollout,
  demo,
  sequential,
}
