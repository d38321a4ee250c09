export { createRouters, type Routers } from './registry.ts'
export type { RouterPlan, RouterSettings } from './router.ts'
export {
  type KnownKind,
  kindId,
  type RoutedKind,
  type RoutingObjects,
  type Watched,
} from './routing-objects.ts'
