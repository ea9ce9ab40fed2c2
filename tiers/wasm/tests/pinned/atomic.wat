;; 206 bytes, 90 instructions
(module
  (type (;0;) (func (param i32 i64) (result i64 i64)))
  (type (;1;) (func (param i32 i64 i64 i64) (result i64)))
  (type (;2;) (func (param i32 i32 i64 i32) (result i64)))
  (import "friscy" "memory" (memory (;0;) 0))
  (import "friscy" "table" (table (;0;) 0 funcref))
  (import "friscy" "float" (func (;0;) (type 1)))
  (elem (;0;) (i32.const 2) func 1)
  (func (;1;) (type 0) (param i32 i64) (result i64 i64)
    (local i64 i64 i64 i32 i32 i64 i64 i64 i64)
    block ;; label = @1
      br 0 (;@1;)
    end
    block ;; label = @1
      i32.const 0
      i64.load offset=65632
      local.set 2
      i32.const 0
      i64.load offset=65624
      local.set 3
      local.get 2
      local.tee 4
      i32.wrap_i64
      local.tee 5
      i32.const 3
      i32.and
      (@metadata.code.branch_hint "\00")
      br_if 0 (;@1;)
      local.get 5
      i32.const 12
      i32.shr_u
      local.tee 6
      i32.load8_u offset=1048576
      i32.const 50
      i32.and
      i32.const 18
      i32.ne
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        local.get 6
        i32.load8_s offset=1048576
        i32.const 34
        i32.and
        i32.const 2
        i32.ne
        (@metadata.code.branch_hint "\00")
        br_if 1 (;@1;)
        local.get 6
        local.get 6
        i32.load8_s offset=1048576
        i32.const 16
        i32.or
        i32.store8 offset=1048576
      end
      local.get 3
      i32.wrap_i64
      i64.extend_i32_s
      local.set 8
      local.get 5
      i64.load32_s offset=268435456 align=1
      local.set 7
      local.get 5
      local.get 7
      local.get 8
      i64.add
      i64.store32 offset=268435456 align=1
      i32.const 0
      i64.load offset=65544
      local.set 9
      local.get 9
      i64.const -2
      i64.and
      local.set 10
      i32.const 0
      local.get 7
      i64.store offset=65616
      local.get 1
      i64.const 2
      i64.sub
      local.set 1
      local.get 1
      i64.const 0
      i64.le_s
      (@metadata.code.branch_hint "\00")
      if ;; label = @2
        i32.const 0
        local.get 10
        i64.store offset=67584
        i64.const 3
        local.get 1
        return
      end
      local.get 10
      local.get 1
      return
    end
    i32.const 0
    i64.const 65536
    i64.store offset=67584
    i64.const 5
    local.get 1
    return
    unreachable
  )
)
