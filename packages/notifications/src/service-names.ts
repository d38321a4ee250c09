/** Service types of upstream, as it spells them (spec notifications 7.0). */
export const upstreamTypes = [
  'awssqs',
  'email',
  'slack',
  'mattermost',
  'rocketchat',
  'grafana',
  'opsgenie',
  'webhook',
  'telegram',
  'github',
  'teams',
  'teams-workflows',
  'googlechat',
  'pushover',
  'alertmanager',
  'pagerduty',
  'pagerdutyv2',
  'newrelic',
  'webex',
  'nats',
  'gcppubsub',
] as const

const aliases: Readonly<Record<string, string>> = {
  pagerdutyevents: 'pagerdutyv2',
  sqs: 'awssqs',
  pubsub: 'gcppubsub',
  smtp: 'email',
}

/** Names are compared without case, `-` and `_`: `pagerdutyV2` and `pagerduty-v2` are one (spec api 15.1 A1). */
export function normalizeName(name: string): string {
  return name.toLowerCase().replaceAll(/[-_]/g, '')
}

/** Upstream's spelling of a type however it was written; undefined for none of them. */
export function canonicalType(written: string): string | undefined {
  const plain = normalizeName(written)
  const meant = aliases[plain] ?? plain
  return upstreamTypes.find((type) => normalizeName(type) === meant)
}
