#!/usr/bin/env node
import { runVarmor } from './program.ts'

// What is installed in a cluster has no sandbox.
await runVarmor()
