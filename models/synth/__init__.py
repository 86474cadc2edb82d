"""Synthetic pictures: rendered gyms, people and kit with exact boxes, for training and for the demo.

The geometry (bodies, poses, items, rooms) is plain NumPy; only `stage` needs Blender (`bpy`) and only
`bodies` needs `anny`. Both come with the extra `[synth]`.
"""
