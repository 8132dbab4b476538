;; The one product of matrices that a small CLIP needs, forwards and backwards, with four numbers in each register.
;;
;; C[i, j] (+)= sum over p of A[i, p] B[p, j]      i < rows, j < columns, p < inner; rows % 4 == 0, columns % 8 == 0
;;
;; Addresses and steps are in bytes. A is read by any two steps, so that a transpose costs nothing: A[i, p] lies at
;; a + i a_row + p a_inner. Rows of B and of C are contiguous, b_row and c_row bytes apart.
;;
;; A tile of C, 4 x 8, stays in eight registers while p runs: two loads of B and four of A feed 32 multiplications.
(module
  (import "page" "memory" (memory 1))
  (func (export "product")
    (param $a i32) (param $b i32) (param $c i32) (param $rows i32) (param $columns i32) (param $inner i32)
    (param $a_row i32) (param $a_inner i32) (param $b_row i32) (param $c_row i32) (param $add i32)
    (local $i i32) (local $j i32) (local $p i32)
    (local $a0 i32) (local $a1 i32) (local $a2 i32) (local $a3 i32) (local $from i32) (local $to i32)
    (local $left v128) (local $right v128) (local $x v128)   ;; of B: columns 0 to 3 and 4 to 7; of A: one number, four times
    (local $l0 v128) (local $l1 v128) (local $l2 v128) (local $l3 v128)   ;; of C, rows 0 to 3: the left four columns
    (local $r0 v128) (local $r1 v128) (local $r2 v128) (local $r3 v128)   ;; and the right four

    (loop $next_rows
      (local.set $j (i32.const 0))
      (loop $next_columns
        (local.set $a0 (i32.add (local.get $a) (i32.mul (local.get $i) (local.get $a_row))))
        (local.set $a1 (i32.add (local.get $a0) (local.get $a_row)))
        (local.set $a2 (i32.add (local.get $a1) (local.get $a_row)))
        (local.set $a3 (i32.add (local.get $a2) (local.get $a_row)))
        (local.set $from (i32.add (local.get $b) (i32.shl (local.get $j) (i32.const 2))))
        (local.set $to (i32.add
          (i32.add (local.get $c) (i32.mul (local.get $i) (local.get $c_row)))
          (i32.shl (local.get $j) (i32.const 2))))

        ;; The sums begin at 0, or at what C holds.
        (local.set $l0 (v128.const f32x4 0 0 0 0)) (local.set $r0 (local.get $l0))
        (local.set $l1 (local.get $l0)) (local.set $r1 (local.get $l0))
        (local.set $l2 (local.get $l0)) (local.set $r2 (local.get $l0))
        (local.set $l3 (local.get $l0)) (local.set $r3 (local.get $l0))
        (if (local.get $add)
          (then
            (local.set $l0 (v128.load (local.get $to))) (local.set $r0 (v128.load offset=16 (local.get $to)))
            (local.set $to (i32.add (local.get $to) (local.get $c_row)))
            (local.set $l1 (v128.load (local.get $to))) (local.set $r1 (v128.load offset=16 (local.get $to)))
            (local.set $to (i32.add (local.get $to) (local.get $c_row)))
            (local.set $l2 (v128.load (local.get $to))) (local.set $r2 (v128.load offset=16 (local.get $to)))
            (local.set $to (i32.add (local.get $to) (local.get $c_row)))
            (local.set $l3 (v128.load (local.get $to))) (local.set $r3 (v128.load offset=16 (local.get $to)))
            (local.set $to (i32.sub (local.get $to) (i32.mul (local.get $c_row) (i32.const 3))))))

        (local.set $p (local.get $inner))
        (loop $next_inner
          (local.set $left (v128.load (local.get $from)))
          (local.set $right (v128.load offset=16 (local.get $from)))
          (local.set $x (v128.load32_splat (local.get $a0)))
          (local.set $l0 (f32x4.add (local.get $l0) (f32x4.mul (local.get $x) (local.get $left))))
          (local.set $r0 (f32x4.add (local.get $r0) (f32x4.mul (local.get $x) (local.get $right))))
          (local.set $x (v128.load32_splat (local.get $a1)))
          (local.set $l1 (f32x4.add (local.get $l1) (f32x4.mul (local.get $x) (local.get $left))))
          (local.set $r1 (f32x4.add (local.get $r1) (f32x4.mul (local.get $x) (local.get $right))))
          (local.set $x (v128.load32_splat (local.get $a2)))
          (local.set $l2 (f32x4.add (local.get $l2) (f32x4.mul (local.get $x) (local.get $left))))
          (local.set $r2 (f32x4.add (local.get $r2) (f32x4.mul (local.get $x) (local.get $right))))
          (local.set $x (v128.load32_splat (local.get $a3)))
          (local.set $l3 (f32x4.add (local.get $l3) (f32x4.mul (local.get $x) (local.get $left))))
          (local.set $r3 (f32x4.add (local.get $r3) (f32x4.mul (local.get $x) (local.get $right))))
          (local.set $a0 (i32.add (local.get $a0) (local.get $a_inner)))
          (local.set $a1 (i32.add (local.get $a1) (local.get $a_inner)))
          (local.set $a2 (i32.add (local.get $a2) (local.get $a_inner)))
          (local.set $a3 (i32.add (local.get $a3) (local.get $a_inner)))
          (local.set $from (i32.add (local.get $from) (local.get $b_row)))
          (br_if $next_inner (local.tee $p (i32.sub (local.get $p) (i32.const 1)))))

        (v128.store (local.get $to) (local.get $l0)) (v128.store offset=16 (local.get $to) (local.get $r0))
        (local.set $to (i32.add (local.get $to) (local.get $c_row)))
        (v128.store (local.get $to) (local.get $l1)) (v128.store offset=16 (local.get $to) (local.get $r1))
        (local.set $to (i32.add (local.get $to) (local.get $c_row)))
        (v128.store (local.get $to) (local.get $l2)) (v128.store offset=16 (local.get $to) (local.get $r2))
        (local.set $to (i32.add (local.get $to) (local.get $c_row)))
        (v128.store (local.get $to) (local.get $l3)) (v128.store offset=16 (local.get $to) (local.get $r3))

        (br_if $next_columns
          (i32.lt_u (local.tee $j (i32.add (local.get $j) (i32.const 8))) (local.get $columns))))
      (br_if $next_rows
        (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (local.get $rows))))))
