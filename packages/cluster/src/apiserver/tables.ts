import type { UnknownObject } from '@serinus/kube'
import type { PrinterColumn } from './custom-kind.ts'
import { findByJsonPath } from './json-path.ts'
import { printers, since, standardPrinter } from './printers.ts'
import type { ServedResource } from './served.ts'
import { groupResourceName } from './status-error.ts'

interface ColumnDefinition {
  readonly name: string
  readonly type: string
  readonly format: string
  readonly description: string
  readonly priority: number
}

export interface TableOptions {
  readonly now: number
  readonly includeObject: 'Metadata' | 'None' | 'Object'
  /** Later events of a watch leave the columns out. */
  readonly withColumns: boolean
  readonly listMetadata: object
}

/** meta/v1 Table of some objects, as kubectl prints it. */
export function tableOf(
  served: ServedResource,
  objects: readonly UnknownObject[],
  options: TableOptions,
): object {
  const { columns, cells } = layoutOf(served, options.now)
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: options.listMetadata,
    columnDefinitions: options.withColumns ? columns : null,
    rows: objects.map((object) => ({
      cells: cells(object),
      ...(options.includeObject !== 'None' && {
        object: options.includeObject === 'Object' ? object : metadataOf(object),
      }),
    })),
  }
}

/** meta/v1 PartialObjectMetadata: identity and metadata alone. */
export function metadataOf(object: UnknownObject): UnknownObject {
  return {
    kind: 'PartialObjectMetadata',
    apiVersion: 'meta.k8s.io/v1',
    metadata: object.metadata,
  }
}

interface Layout {
  readonly columns: readonly ColumnDefinition[]
  readonly cells: (object: UnknownObject) => readonly unknown[]
}

function layoutOf(served: ServedResource, now: number): Layout {
  if (served.custom) return customLayout(served.custom.columns, now)
  const printer = printers[groupResourceName(served.resource)] ?? standardPrinter
  return {
    columns: printer.columns.map(columnOf),
    cells: (object) => printer.row(object, now),
  }
}

const nameText =
  'Name must be unique within a namespace. Is required when creating resources, although some resources may allow a client to request the generation of an appropriate name automatically. Name is primarily intended for creation idempotence and configuration definition. Cannot be updated. More info: https://kubernetes.io/docs/concepts/overview/working-with-objects/names#names'

function columnOf(text: string): ColumnDefinition {
  const wide = text.startsWith('+')
  const [name = '', type = 'string'] = text.replace(/^\+/, '').split(':')
  return {
    name,
    type,
    format: name === 'Name' ? 'name' : '',
    description: name === 'Name' ? nameText : name,
    priority: wide ? 1 : 0,
  }
}

function customLayout(columns: readonly PrinterColumn[], now: number): Layout {
  return {
    columns: [
      columnOf('Name'),
      ...columns.map((column) => ({
        name: column.name,
        type: column.type,
        format: column.format ?? '',
        description:
          column.description ??
          `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
        priority: column.priority ?? 0,
      })),
    ],
    cells: (object: UnknownObject) => [
      object.metadata.name,
      ...columns.map((column) =>
        cellOf(findByJsonPath(object, column.jsonPath)[0], column.type, now),
      ),
    ],
  }
}

function cellOf(value: unknown, type: string, now: number): unknown {
  if (value === undefined || value === null) return null
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null
    case 'number':
      return typeof value === 'number' ? value : null
    case 'boolean':
      return typeof value === 'boolean' ? value : null
    case 'date':
      return typeof value === 'string' ? since(value, now) : '<unknown>'
    default:
      return typeof value === 'object' ? JSON.stringify(value) : String(value)
  }
}
