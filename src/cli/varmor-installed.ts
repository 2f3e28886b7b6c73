#!/usr/bin/env node
import { runVarmor } from './program.ts'

// An installation in a cluster has no sandbox.
await runVarmor()
