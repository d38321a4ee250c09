import { createHash } from 'node:crypto'
import type { Catalog, ServedGroup } from './catalog.ts'
import type { ServedResource, Subresource } from './served.ts'

/** Document of `/api`, `/apis` and below; undefined where nothing is served. */
export function discoveryDocument(
  catalog: Catalog,
  path: string,
  server: string,
): object | undefined {
  const parts = path.split('/').filter((part) => part !== '')
  if (parts[0] === 'api') {
    if (parts.length === 1) {
      return {
        kind: 'APIVersions',
        versions: ['v1'],
        serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: server }],
      }
    }
    return parts.length === 2 && parts[1] === 'v1' ? resourceList(catalog, '', 'v1') : undefined
  }
  if (parts[0] !== 'apis') return undefined
  const groups = catalog
    .groups()
    .filter(({ group, versions }) => group !== '' && versions.length > 0)
  if (parts.length === 1) {
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(groupDocument) }
  }
  const group = groups.find((candidate) => candidate.group === parts[1])
  if (!group) return undefined
  if (parts.length === 2) return { kind: 'APIGroup', apiVersion: 'v1', ...groupDocument(group) }
  const version = parts[2] ?? ''
  if (parts.length > 3 || !group.versions.includes(version)) return undefined
  return resourceList(catalog, group.group, version)
}

function groupDocument({ group, versions }: ServedGroup): object {
  const listed = versions.map((version) => ({ groupVersion: `${group}/${version}`, version }))
  return { name: group, versions: listed, preferredVersion: listed[0] }
}

function resourceList(catalog: Catalog, group: string, version: string): object {
  const resources = [...catalog.resourcesOf(group, version)].sort(byPlural).flatMap((served) => [
    {
      name: served.resource.plural,
      singularName: served.singular,
      namespaced: served.resource.namespaced,
      kind: served.resource.kind,
      verbs: served.verbs,
      ...(served.shortNames.length > 0 && { shortNames: served.shortNames }),
      ...(served.categories.length > 0 && { categories: served.categories }),
      ...(served.verbs.includes('list') && { storageVersionHash: storageHash(served) }),
    },
    ...served.subresources.map((subresource) => ({
      name: `${served.resource.plural}/${subresource.name}`,
      singularName: '',
      namespaced: served.resource.namespaced,
      ...(subresource.group !== undefined && {
        group: subresource.group,
        version: subresource.version,
      }),
      kind: subresource.kind,
      verbs: subresource.verbs,
    })),
  ])
  return {
    kind: 'APIResourceList',
    ...(group !== '' && { apiVersion: 'v1' }),
    groupVersion: group === '' ? version : `${group}/${version}`,
    resources,
  }
}

function storageHash(served: ServedResource): string {
  const text = `${served.storage.group}/${served.storedAs}/${served.resource.kind}`
  return createHash('sha256').update(text).digest('base64').slice(0, 11).concat('=')
}

function byPlural(a: ServedResource, b: ServedResource): number {
  return a.resource.plural < b.resource.plural ? -1 : 1
}

/** `apidiscovery.k8s.io/v2` (or v2beta1): everything below `/api` or `/apis` in one document. */
export function aggregatedDiscovery(
  catalog: Catalog,
  root: 'api' | 'apis',
  version: string,
): object {
  const groups = catalog
    .groups()
    .filter(({ group, versions }) => (group === '') === (root === 'api') && versions.length > 0)
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: { ...(group !== '' && { name: group }), creationTimestamp: null },
      versions: versions.map((name) => ({
        version: name,
        resources: [...catalog.resourcesOf(group, name)].sort(byPlural).map(aggregatedResource),
        freshness: 'Current',
      })),
    })),
  }
}

function aggregatedResource(served: ServedResource): object {
  const { group, version, kind, plural, namespaced } = served.resource
  return {
    resource: plural,
    responseKind: { group, version, kind },
    scope: namespaced ? 'Namespaced' : 'Cluster',
    singularResource: served.singular,
    verbs: served.verbs,
    ...(served.shortNames.length > 0 && { shortNames: served.shortNames }),
    ...(served.categories.length > 0 && { categories: served.categories }),
    ...(served.subresources.length > 0 && {
      subresources: served.subresources.map((subresource) =>
        aggregatedSubresource(served, subresource),
      ),
    }),
  }
}

function aggregatedSubresource(served: ServedResource, subresource: Subresource): object {
  return {
    subresource: subresource.name,
    responseKind: {
      group: subresource.group ?? served.resource.group,
      version: subresource.version ?? served.resource.version,
      kind: subresource.kind,
    },
    verbs: subresource.verbs,
  }
}
