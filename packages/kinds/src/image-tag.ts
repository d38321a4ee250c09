const pathPart = '[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*'
const hostPart = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])'
const host = `(?:${hostPart}(?:\\.${hostPart})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`
const tagOrDigest =
  '(?::([\\w][\\w.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?'
const withoutHost = new RegExp(`^(${pathPart}(?:/${pathPart})*)${tagOrDigest}$`)
const withHost = new RegExp(`^(?:${host}/)?(${pathPart}(?:/${pathPart})*)${tagOrDigest}$`)
const digestLengths: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 }
const longestPath = 255

/**
 * The tag of an image reference: `latest` when it names neither tag nor digest, empty when only a
 * digest or when the reference is malformed (as `distribution/reference` judges it).
 */
export function imageTag(image: string): string {
  // An image id is no name.
  if (/^[a-f0-9]{64}$/.test(image)) return ''
  const first = image.includes('/') ? image.slice(0, image.indexOf('/')) : ''
  const named = /[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase()
  const match = (named ? withHost : withoutHost).exec(image)
  if (!match) return ''
  const [, path = '', tag, digest] = match
  const stored = named || path.includes('/') ? path : `library/${path}`
  if (stored.length > longestPath) return ''
  if (digest && !isDigest(digest)) return ''
  return tag ?? (digest ? '' : 'latest')
}

function isDigest(text: string): boolean {
  const [algorithm, hex] = text.split(':')
  return hex?.length === digestLengths[algorithm ?? ''] && /^[a-f0-9]+$/.test(hex ?? '')
}
