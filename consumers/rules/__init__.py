"""The rules, one module each: a function of (state, scene, thresholds) that gives the state after it and facts.

A rule reads no clock, no server and no setting but what it is handed. It advances the state that it is given and
gives it back; equal states and scenes give equal results, in whatever pieces history is interpreted.
"""
