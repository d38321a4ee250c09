import { canonicalJson } from '@serinus/kinds'
import type { PodTemplate } from '../pods/pod.ts'

export const podTemplateHashLabel = 'pod-template-hash'

const alphabet = 'bcdfghjklmnpqrstvwxz2456789'

/**
 * Name of a pod template, in the alphabet and length of the real one. The hash is FNV-1a over the template as Go
 * prints it in JSON; kube-controller-manager hashes a dump of its Go structs instead, so the characters differ from
 * those of a real cluster, which no client may depend on. They also differ from those of a Rollout with the same
 * template, as there, so that the ReplicaSets of a Deployment and of a Rollout of one name never meet.
 */
export function podTemplateHash(template: PodTemplate, collisionCount: number | undefined): string {
  const bytes = new TextEncoder().encode(
    `Deployment ${canonicalJson('core/v1.PodTemplateSpec', template)}`,
  )
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  if (collisionCount !== undefined) {
    for (let shift = 0; shift < 64; shift += 8) {
      const byte = shift < 32 ? (collisionCount >>> shift) & 255 : 0
      hash = Math.imul(hash ^ byte, 0x01000193)
    }
  }
  return String(hash >>> 0).replace(/./g, (digit) => alphabet[digit.charCodeAt(0) % 27] ?? '')
}
