#!/usr/bin/env node
import { runVarmor } from './program.ts'
import { addSandbox, addSandboxNode } from './sandbox-roles.ts'

await runVarmor([addSandbox, addSandboxNode])
