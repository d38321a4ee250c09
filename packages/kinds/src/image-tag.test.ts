import { expect, test } from 'vitest'
import { imageTag } from './image-tag.ts'

const digest = `sha256:${'a'.repeat(64)}`

test.each([
  ['nginx', 'latest'],
  ['nginx:latest', 'latest'],
  ['nginx:1.27', '1.27'],
  ['localhost:5000/web', 'latest'],
  ['localhost:5000/web:v1', 'v1'],
  ['registry.example.com/a/b', 'latest'],
  ['host_x.io/y', 'latest'],
  [`web@${digest}`, ''],
  [`web:latest@${digest}`, 'latest'],
  ['web@sha256:abc', ''],
  ['Web', ''],
  ['Registry/web', 'latest'],
  ['registry/Web', ''],
  ['', ''],
  ['a b', ''],
  ['a'.repeat(64), ''],
  ['x'.repeat(248), ''],
  ['x'.repeat(247), 'latest'],
])('the tag of %j is %j', (image, tag) => {
  expect(imageTag(image)).toBe(tag)
})
