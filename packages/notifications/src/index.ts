export {
  type Condition,
  type ConfigMap,
  type DefaultSubscription,
  type DeliveryPolicy,
  type Field,
  type NotificationConfig,
  type NotificationTemplate,
  type ParsedConfig,
  parseConfig,
  type Secret,
  type ServiceEntry,
  withAlias,
} from './config.ts'
export {
  type DerivedEvent,
  deriveEvents,
  type FailedMetric,
  nextSeen,
  type Seen,
} from './derive.ts'
export { type Finding, type FindingCode, findingText } from './finding.ts'
export {
  builtinConfig,
  type Found,
  findService,
  findTemplate,
  findTrigger,
  type Layers,
} from './layers.ts'
export {
  aliasName,
  configMapName,
  type Notifier,
  type NotifierOptions,
  secretName,
  startNotifier,
} from './notifier.ts'
export { type RenderedNotification, type RenderRequest, renderNotification } from './render.ts'
export type { Attempt, DeliveryReport } from './sender.ts'
export { services } from './services/registry.ts'
export type {
  Configured,
  Content,
  Delivery,
  Outcome,
  Rendered,
  Service,
  ServiceType,
} from './services/service.ts'
export {
  type ResolvedSubscriptions,
  resolveSubscriptions,
  type Subscription,
} from './subscriptions.ts'
export type { Subject } from './variables.ts'
