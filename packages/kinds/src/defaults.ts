import { canonicalJson } from './canonical-json.ts'
import type { Draft } from './draft.ts'
import { kindDefaulters } from './kind-defaults.ts'
import { podDefaulters } from './pod-defaults.ts'
import { parseQuantity, roundToMilli } from './quantity.ts'
import { type FieldType, kindType, referredStruct, type TypeRef } from './types.ts'

/**
 * The object as kube-apiserver 1.34 stores it, apart from what its strategies assign (uid, cluster
 * IPs, the selector of a Job): defaults filled in, quantities and times canonical, unknown fields
 * and empty values gone, keys in declaration order. The input stays as it is; doing it twice
 * changes nothing more. An object of a kind that is not built in comes back as an equal copy.
 */
export function applyDefaults(apiVersion: string, kind: string, object: unknown): object {
  const ref = kindType(apiVersion, kind)
  return ref ? storedForm(ref, object) : (structuredClone(object) as object)
}

/** A pod template as the server stores it inside a Deployment: the pod part of {@link applyDefaults}. */
export function applyPodTemplateDefaults(template: unknown): object {
  return storedForm('core/v1.PodTemplateSpec', template)
}

function storedForm(ref: TypeRef, object: unknown): object {
  // Decoding first means that below, absent is the only form of empty.
  const draft = JSON.parse(canonicalJson(ref, object)) as Draft
  fillStruct(ref, draft)
  return JSON.parse(canonicalJson(ref, draft)) as object
}

function fillStruct(ref: TypeRef, draft: Draft): void {
  podDefaulters[ref]?.(draft)
  kindDefaulters[ref]?.(draft)
  for (const field of referredStruct(ref).fields) {
    if (field.default !== undefined) draft[field.name] ??= field.default
    const value = draft[field.name]
    if (field.goType === 'v1.ResourceList' && value) roundAmounts(value as Draft)
    else fill(field.type, value)
  }
}

/** The value has the shape of the type, since canonical JSON was read back. */
function fill(type: FieldType, value: unknown): void {
  if (value === undefined || value === null) return
  switch (type.kind) {
    case 'pointer':
      fill(type.to, value)
      return
    case 'list':
      for (const item of value as unknown[]) fill(type.of, item)
      return
    case 'map':
      for (const item of Object.values(value as Draft)) fill(type.of, item)
      return
    case 'struct':
      // Nothing inside a schema has defaults, and it may be long.
      if (type.ref !== 'apiextensions/v1.JSONSchemaProps') fillStruct(type.ref, value as Draft)
      return
    default:
      return
  }
}

function roundAmounts(list: Draft): void {
  for (const [name, text] of Object.entries(list)) {
    const quantity = parseQuantity(String(text))
    if (quantity) list[name] = roundToMilli(quantity).canonical
  }
}
