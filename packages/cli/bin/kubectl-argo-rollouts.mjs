#!/usr/bin/env node
import { launch } from './launch.mjs'

await launch('../src/plugin-main.ts')
