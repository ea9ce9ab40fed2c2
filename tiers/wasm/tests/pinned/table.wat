;; 275 bytes, 121 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i64 i64 i64 i64 i32 i64 i64 i32)
    block ;; label = @1
      br 0 (;@1;)
    end
    block ;; label = @1
      i32.const 0
      i64.load offset=65624
      local.set 2
      local.get 2
      i64.const 3
      i64.shl
      local.set 3
      i32.const 0
      i64.load offset=65616
      local.set 4
      local.get 4
      local.get 3
      i64.add
      local.set 5
      local.get 5
      i32.wrap_i64
      local.tee 6
      i32.const 12
      i32.shr_u
      i32.load8_u offset=1048576
      i32.const 33
      i32.and
      i32.const 1
      i32.ne
      (@metadata.code.branch_hint "\00")
      br_if 0 (;@1;)
      local.get 6
      i32.const 7
      i32.and
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        local.get 6
        i32.const 7
        i32.add
        i32.const 12
        i32.shr_u
        i32.load8_u offset=1048576
        i32.const 33
        i32.and
        i32.const 1
        i32.ne
        (@metadata.code.branch_hint "\00")
        br_if 1 (;@1;)
      end
      local.get 5
      i32.wrap_i64
      i64.load offset=268435456 align=1
      local.set 7
      local.get 7
      i64.const 0
      i64.add
      i64.const -2
      i64.and
      local.set 8
      i32.const 0
      local.get 7
      i64.store offset=65584
      i32.const 0
      local.get 5
      i64.store offset=65616
      i32.const 0
      local.get 3
      i64.store offset=65624
      local.get 1
      i64.const 4
      i64.sub
      local.set 1
      local.get 1
      i64.const 0
      i64.le_s
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        i32.const 0
        local.get 8
        i64.store offset=67584
        i64.const 3
        local.get 1
        return
      end
      local.get 8
      i32.wrap_i64
      i32.const 3
      i32.shl
      i32.const 16368
      i32.and
      local.tee 9
      i64.load offset=2097152
      local.get 8
      i64.ne
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        local.get 8
        local.get 1
        return
      end
      local.get 0
      i32.const -1048576
      i32.and
      local.get 9
      i32.load offset=2097164
      i32.or
      local.get 1
      local.get 9
      i32.load offset=2097160
      return_call_indirect (type 0)
    end
    i32.const 0
    local.get 5
    i64.store offset=65616
    i32.const 0
    local.get 3
    i64.store offset=65624
    i32.const 0
    i64.const 65544
    i64.store offset=67584
    i64.const 5
    local.get 1
    i64.const 2
    i64.sub
    return
    unreachable
  )
)
