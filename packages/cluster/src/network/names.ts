/** A name that means a Service of the cluster, as a pod's resolver would read it. */
export interface ServiceName {
  readonly name: string
  readonly namespace: string
  /** It has the form of a public name too, and means that where no such Service is. */
  readonly mayBeOutside: boolean
}

/** `name`, `name.namespace`, `name.namespace.svc`, `name.namespace.svc.cluster.local`; null for names of the outside world. */
export function serviceName(host: string, home: string): ServiceName | null {
  // A closing dot says that the name is whole.
  const labels = host.replace(/\.$/, '').split('.')
  const [name = '', namespace = home, svc, ...rest] = labels
  if (labels.some((label) => !/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(label))) return null
  if (/^\d+$/.test(labels.at(-1) ?? '') || name === 'localhost') return null
  if (labels.length <= 2) return { name, namespace, mayBeOutside: labels.length === 2 }
  const domain = rest.join('.')
  return svc === 'svc' && (domain === '' || domain === 'cluster.local')
    ? { name, namespace, mayBeOutside: false }
    : null
}
