"""Neuroptych: one population, many panels.

Population recordings in NWB files go in; one report per experiment comes out. The folders, from
the inside out: ``core`` (records), ``numerics`` (shared mathematics), ``methods`` and ``prepare``
(what is computed), ``registry`` and ``config``, ``viz``, ``io`` and ``report`` (files and pages),
``stages`` (where files meet functions) and ``cli``.
"""

__version__ = "0.1.0"
