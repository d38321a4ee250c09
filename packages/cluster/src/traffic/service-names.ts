/** `reviews`, `reviews.prod` and `reviews.prod.svc.cluster.local` are one Service, seen from its namespace or by name. */
export function serviceAt(
  host: string,
  namespace: string,
): { readonly namespace: string; readonly name: string } {
  const [name = '', inNamespace = namespace] = host.split('.')
  return { namespace: inNamespace, name }
}
