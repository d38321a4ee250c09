import { createHash } from 'node:crypto'
import { type JsonSchema, openApiSchemas } from '@serinus/kinds'
import { apiVersionOf } from '@serinus/kube'
import type { Catalog } from './catalog.ts'
import type { CustomSchema } from './custom-schema.ts'
import type { ServedResource } from './served.ts'

type Schemas = Readonly<Record<string, JsonSchema>>

/** The OpenAPI documents of a catalog; each is made once for the kinds served at that time. */
export class OpenApi {
  readonly #catalog: Catalog
  readonly #documents = new Map<string, { readonly text: string; readonly hash: string }>()
  #revision = -1

  constructor(catalog: Catalog) {
    this.#catalog = catalog
  }

  /** `/openapi/v3`: where each group's document lies, with a hash that changes with it. */
  index(): object {
    this.#refresh()
    const paths: Record<string, object> = {}
    for (const { group, versions } of this.#catalog.groups()) {
      for (const version of versions) {
        const path = group === '' ? `api/${version}` : `apis/${group}/${version}`
        const hash = this.#documents.get(path)?.hash ?? this.#hash(group, version)
        paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` }
      }
    }
    return { paths }
  }

  /** `/openapi/v3/apis/apps/v1`; undefined when nothing is served there. */
  document(path: string): string | undefined {
    this.#refresh()
    const known = this.#documents.get(path)
    if (known) return known.text
    const [root, first = '', second = ''] = path.split('/')
    const [group, version] = root === 'api' ? ['', first] : [first, second]
    const resources = this.#catalog.resourcesOf(group, version)
    if (resources.length === 0) return undefined
    const schemas = schemasOf(resources)
    const text = JSON.stringify({
      openapi: '3.0.0',
      info: { title: 'Kubernetes', version: 'v1.34.0' },
      paths: Object.fromEntries(resources.flatMap((served) => pathsOf(served, 'v3'))),
      components: { schemas },
    })
    this.#documents.set(path, { text, hash: this.#hash(group, version) })
    return text
  }

  /** `/openapi/v2`: all groups in one Swagger document. */
  swagger(): string {
    this.#refresh()
    const known = this.#documents.get('swagger')
    if (known) return known.text
    const resources = this.#catalog.all()
    const definitions = schemasOf(resources)
    const text = JSON.stringify({
      swagger: '2.0',
      info: { title: 'Kubernetes', version: 'v1.34.0' },
      paths: Object.fromEntries(resources.flatMap((served) => pathsOf(served, 'v2'))),
      definitions,
    }).replaceAll('#/components/schemas/', '#/definitions/')
    this.#documents.set('swagger', { text, hash: '' })
    return text
  }

  #refresh(): void {
    if (this.#revision === this.#catalog.revision) return
    this.#revision = this.#catalog.revision
    this.#documents.clear()
  }

  /** Of the kinds and their schemas, not of the document, which would have to be made for it. */
  #hash(group: string, version: string): string {
    const hash = createHash('sha512')
    for (const served of this.#catalog.resourcesOf(group, version)) {
      hash.update(
        `${served.resource.kind} ${served.subresources.map(({ name }) => name).join(',')}`,
      )
      if (served.custom) hash.update(JSON.stringify(served.custom.schema))
    }
    return hash.digest('hex').toUpperCase()
  }
}

/** The schemas of those kinds and all that they refer to. */
function schemasOf(resources: readonly ServedResource[]): Schemas {
  const builtIn = openApiSchemas()
  const byKind = schemaNames(builtIn)
  const found: Record<string, JsonSchema> = {}
  const take = (name: string) => {
    const schema = builtIn[name]
    if (!schema || found[name]) return
    found[name] = schema
    for (const reference of references(schema)) take(reference)
  }
  for (const served of resources) {
    const { group, version, kind } = served.resource
    if (served.custom) {
      const name = customName(served)
      found[name] = customSchema(served, served.custom.schema)
      take(objectMetaName)
      continue
    }
    for (const wanted of [kind, `${kind}List`])
      take(byKind.get(`${group}/${version}/${wanted}`) ?? '')
    for (const subresource of served.subresources) {
      const subGroup = subresource.group ?? group
      const subVersion = subresource.version ?? version
      take(byKind.get(`${subGroup}/${subVersion}/${subresource.kind}`) ?? '')
    }
  }
  for (const name of ['DeleteOptions', 'Status', 'WatchEvent', 'APIResourceList']) {
    take(`io.k8s.apimachinery.pkg.apis.meta.v1.${name}`)
  }
  return found
}

const objectMetaName = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta'

function schemaNames(schemas: Schemas): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const [name, schema] of Object.entries(schemas)) {
    for (const { group, version, kind } of schema['x-kubernetes-group-version-kind'] ?? []) {
      const key = `${group}/${version}/${kind}`
      if (!names.has(key)) names.set(key, name)
    }
  }
  return names
}

function references(value: unknown): readonly string[] {
  const names = new Set<string>()
  JSON.stringify(value, (key, item: unknown) => {
    if (key === '$ref' && typeof item === 'string') names.add(item.slice(item.lastIndexOf('/') + 1))
    return item
  })
  return [...names]
}

/** `io.argoproj.v1alpha1.Rollout`: the group backwards. */
function customName(served: ServedResource): string {
  const { group, version, kind } = served.resource
  return `${group.split('.').reverse().join('.')}.${version}.${kind}`
}

const apiVersionText =
  'APIVersion defines the versioned schema of this representation of an object. Servers should convert recognized schemas to the latest internal value, and may reject unrecognized values. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#resources'
const kindText =
  'Kind is a string value representing the REST resource this object represents. Servers may infer this from the endpoint the client submits requests to. Cannot be updated. In CamelCase. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds'

function customSchema(served: ServedResource, schema: CustomSchema): JsonSchema {
  const { group, version, kind } = served.resource
  return {
    ...(schema as JsonSchema),
    properties: {
      ...schema.properties,
      apiVersion: { description: apiVersionText, type: 'string' },
      kind: { description: kindText, type: 'string' },
      metadata: {
        description:
          "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata",
        allOf: [{ $ref: `#/components/schemas/${objectMetaName}` }],
      } as JsonSchema,
    },
    'x-kubernetes-group-version-kind': [{ group, version, kind }],
  }
}

const queryParameters = ['dryRun', 'fieldManager', 'fieldValidation', 'force', 'pretty']

/** What clients look paths up for: which kind they serve and which parameters a patch takes. */
function pathsOf(served: ServedResource, format: 'v2' | 'v3'): readonly [string, object][] {
  const { group, version, kind, plural, namespaced } = served.resource
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
  const collection = `${root}/${namespaced ? 'namespaces/{namespace}/' : ''}${plural}`
  const operation = (action: string, verb: string) => ({
    tags: [group === '' ? 'core_v1' : apiVersionOf(served.resource).replace(/[./]/g, '_')],
    operationId: `${verb}${apiVersionOf(served.resource).replace(/[^a-zA-Z0-9]/g, '')}${kind}${action}`,
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, version, kind },
    parameters: queryParameters.map((name) =>
      format === 'v3'
        ? {
            name,
            in: 'query',
            schema: { type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
          }
        : { name, in: 'query', type: name === 'force' ? 'boolean' : 'string', uniqueItems: true },
    ),
    responses: { 200: { description: 'OK' } },
  })
  const paths: [string, object][] = []
  if (served.verbs.includes('create')) {
    paths.push([
      collection,
      {
        ...(served.verbs.includes('list') && { get: operation('list', 'list') }),
        post: operation('post', 'create'),
      },
    ])
  }
  if (served.verbs.includes('get')) {
    paths.push([
      `${collection}/{name}`,
      {
        get: operation('get', 'read'),
        put: operation('put', 'replace'),
        patch: operation('patch', 'patch'),
        delete: operation('delete', 'delete'),
      },
    ])
  }
  return paths
}
