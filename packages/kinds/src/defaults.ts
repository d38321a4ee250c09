export function applyDefaults(_apiVersion: string, _kind: string, _object: unknown): object {
  throw new Error('applyDefaults: not yet')
}
export function applyPodTemplateDefaults(_template: unknown): object {
  throw new Error('applyPodTemplateDefaults: not yet')
}
