import { pagerdutyv2 } from './pagerdutyv2.ts'
import type { ServiceType } from './service.ts'
import { slack } from './slack.ts'
import { webhook } from './webhook.ts'

/** One line per service type, keyed by upstream's spelling (spec notifications 7). */
export const services: Readonly<Record<string, ServiceType>> = { slack, pagerdutyv2, webhook }
