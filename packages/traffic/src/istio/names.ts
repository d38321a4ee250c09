import type { ObjectKey } from '@serinus/kube'

/**
 * The VirtualService that a Rollout names: `web`, `web.demo` or `web.demo.svc.cluster.local`, the last part being the
 * namespace, so that names with dots are possible (spec traffic-routing 5.3, falls short 34).
 */
export function parseVirtualServiceName(text: string, namespace: string): Required<ObjectKey> {
  const parts = text.replace(/(\.svc)?\.cluster\.local$/, '').split('.')
  const last = parts.pop() ?? ''
  return parts.length > 0 ? { namespace: last, name: parts.join('.') } : { namespace, name: last }
}

/** The Service that a host stands for, written short or in full. */
export function serviceOf(host: string | undefined): string {
  return (host ?? '').split('.', 1)[0] ?? ''
}
