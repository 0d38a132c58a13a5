//! Disks that are slow, full, damaged or gone, and lanes that live with it.

use expect_test::expect;
use streamfence_core::Overflow;

use crate::{best_effort, check, lossless, spilling};

#[test]
fn what_is_not_written_yet_is_taken_from_memory() {
    check(spilling(), "disk waits, disk tells, offer 1-9, +50ms, room 99, offer 10-12, room 99, books", expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spilled 7
        0s  spilled 8
        0s  spilled 9
        0s  spill began
        20ms  disk: open t
        50ms  sent 1-8
        50ms  spill ended: 5 in 50ms
        50ms  sent 9-12
        50ms  books of t: 12 offered 12 sent 12 delivered 5 spilled
        50ms  1 links, 0 messages resident
    "#]]);
}

#[test]
fn more_than_may_wait_for_a_disk_is_refused_for_all_and_told_in_its_place() {
    let script = "disk waits, join bob /a, bob: subscribe, offer 1-4, offer 5-7 size=400000, offer 8, offer 9-10 size=400000, \
                  bob: room 2, offer 11 size=400000, disk goes on, +50ms, offer 12, bob: room 99, room 99, books";
    check(spilling(), script, expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5 (2 of 2)
        0s  spilled 6 (2 of 2)
        0s  rejected 7: disk_busy (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  spilled 8 (2 of 2)
        0s  rejected 9: disk_busy (2 of 2)
        0s  rejected 10: disk_busy (2 of 2)
        0s  bob: told: subscribed to t after 0
        0s  rejected 11: disk_busy (2 of 2)
        50ms  spilled 12 (2 of 2)
        50ms  bob: sent 1-5
        50ms  bob: overflow began
        50ms  bob: spill ended: 4 in 50ms
        50ms  bob: sent 6
        50ms  bob: told: missed 1 of t, 7 to 7: rejected
        50ms  bob: sent 8
        50ms  bob: told: missed 3 of t, 9 to 11: rejected
        50ms  bob: sent 12
        50ms  bob: overflow ended: 4 lost
        50ms  sent 1-5
        50ms  overflow began
        50ms  spill ended: 4 in 50ms
        50ms  sent 6
        50ms  told: missed 1 of t, 7 to 7: rejected
        50ms  sent 8
        50ms  told: missed 3 of t, 9 to 11: rejected
        50ms  sent 12
        50ms  overflow ended: 4 lost
        50ms  books of t: 24 offered 16 sent 16 delivered 8 spilled 8 rejected
        50ms  2 links, 0 messages resident
    "#]]);
}

#[test]
fn a_full_disk_is_a_refusal_with_its_reason_and_it_recovers_by_itself() {
    let script = "disk size=3000000, offer 1-6 size=400000, +50ms, offer 7-12 size=400000, +50ms, offer 13-16 size=400000, \
                  room 9 99999999, disk size=99000000, offer 17 size=400000, +50ms, room 99 99999999, books";
    check(spilling().max_queued_bytes(4_000_000), script, expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spill began
        50ms  spilled 7
        50ms  spilled 8
        50ms  spilled 9
        50ms  spilled 10
        50ms  spilled 11
        50ms  rejected 12: disk_busy
        50ms  disk is full
        100ms  rejected 13: disk_full
        100ms  rejected 14: disk_full
        100ms  rejected 15: disk_full
        100ms  rejected 16: disk_full
        100ms  sent 1-9
        100ms  overflow began
        100ms  spill ended: 7 in 100ms
        100ms  disk is healthy
        150ms  sent 10-11
        150ms  told: missed 5 of t, 12 to 16: rejected
        150ms  sent 17
        150ms  overflow ended: 5 lost
        150ms  books of t: 17 offered 12 sent 12 delivered 7 spilled 5 rejected
        150ms  1 links, 0 messages resident
    "#]]);
}

#[test]
fn a_disk_that_has_failed_takes_nothing_more_and_what_is_in_memory_still_comes() {
    let script = "disk waits, offer 1-6, +50ms, disk step, disk step, offer 7, disk fails, disk goes on, offer 8, +50ms, \
                  room 99, offer 9-14, room 99, books";
    check(spilling(), script, expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spill began
        50ms  spilled 7
        50ms  disk is failed
        50ms  rejected 8: disk_failed
        100ms  sent 1-4
        100ms  overflow began
        100ms  spill ended: 3 in 100ms
        100ms  sent 5-7
        100ms  overflow ended: 1 lost
        100ms  rejected 13: disk_failed
        100ms  rejected 14: disk_failed
        100ms  overflow began
        100ms  told: missed 1 of t, 8 to 8: rejected
        100ms  sent 9-12
        100ms  overflow ended: 2 lost
        100ms  books of t: 14 offered 11 sent 11 delivered 3 spilled 3 rejected
        100ms  1 links, 0 messages resident
    "#]]);
}

#[test]
fn what_was_written_before_a_disk_failed_is_still_read() {
    let script = "offer 1-3000 size=1000, +50ms, disk fails, offer x, room 40, room 99, room 99, leave";
    check(best_effort(Overflow::Spill).max_queued_messages(40), script, expect![[r#"
        0s  spilled 41
        0s  spilled 42
        0s  spilled 43
        0s  spilled 44
        0s  spilled 45
        0s  spilled 46
        0s  spilled 47
        0s  spilled 48
        0s  spilled 49
        0s  spilled 50
        0s  spilled 51
        0s  spilled 52
        0s  spilled 53
        0s  spilled 54
        0s  spilled 55
        0s  spilled 56
        0s  spilled 57
        0s  spilled 58
        0s  spilled 59
        0s  spilled 60
        0s  spilled 61
        0s  spilled 62
        0s  spilled 63
        0s  spilled 64
        0s  spilled 65
        0s  spilled 66
        0s  spilled 67
        0s  spilled 68
        0s  spilled 69
        0s  spilled 70
        0s  spilled 71
        0s  spilled 72
        0s  spilled 73
        0s  spilled 74
        0s  spilled 75
        0s  spilled 76
        0s  spilled 77
        0s  spilled 78
        0s  spilled 79
        0s  spilled 80
        0s  spilled 81
        0s  spilled 82
        0s  spilled 83
        0s  spilled 84
        0s  spilled 85
        0s  spilled 86
        0s  spilled 87
        0s  spilled 88
        0s  spilled 89
        0s  spilled 90
        0s  spilled 91
        0s  spilled 92
        0s  spilled 93
        0s  spilled 94
        0s  spilled 95
        0s  spilled 96
        0s  spilled 97
        0s  spilled 98
        0s  spilled 99
        0s  spilled 100
        0s  spilled 101
        0s  spilled 102
        0s  spilled 103
        0s  spilled 104
        0s  spilled 105
        0s  spilled 106
        0s  spilled 107
        0s  spilled 108
        0s  spilled 109
        0s  spilled 110
        0s  spilled 111
        0s  spilled 112
        0s  spilled 113
        0s  spilled 114
        0s  spilled 115
        0s  spilled 116
        0s  spilled 117
        0s  spilled 118
        0s  spilled 119
        0s  spilled 120
        0s  spilled 121
        0s  spilled 122
        0s  spilled 123
        0s  spilled 124
        0s  spilled 125
        0s  spilled 126
        0s  spilled 127
        0s  spilled 128
        0s  spilled 129
        0s  spilled 130
        0s  spilled 131
        0s  spilled 132
        0s  spilled 133
        0s  spilled 134
        0s  spilled 135
        0s  spilled 136
        0s  spilled 137
        0s  spilled 138
        0s  spilled 139
        0s  spilled 140
        0s  spilled 141
        0s  spilled 142
        0s  spilled 143
        0s  spilled 144
        0s  spilled 145
        0s  spilled 146
        0s  spilled 147
        0s  spilled 148
        0s  spilled 149
        0s  spilled 150
        0s  spilled 151
        0s  spilled 152
        0s  spilled 153
        0s  spilled 154
        0s  spilled 155
        0s  spilled 156
        0s  spilled 157
        0s  spilled 158
        0s  spilled 159
        0s  spilled 160
        0s  spilled 161
        0s  spilled 162
        0s  spilled 163
        0s  spilled 164
        0s  spilled 165
        0s  spilled 166
        0s  spilled 167
        0s  spilled 168
        0s  spilled 169
        0s  spilled 170
        0s  spilled 171
        0s  spilled 172
        0s  spilled 173
        0s  spilled 174
        0s  spilled 175
        0s  spilled 176
        0s  spilled 177
        0s  spilled 178
        0s  spilled 179
        0s  spilled 180
        0s  spilled 181
        0s  spilled 182
        0s  spilled 183
        0s  spilled 184
        0s  spilled 185
        0s  spilled 186
        0s  spilled 187
        0s  spilled 188
        0s  spilled 189
        0s  spilled 190
        0s  spilled 191
        0s  spilled 192
        0s  spilled 193
        0s  spilled 194
        0s  spilled 195
        0s  spilled 196
        0s  spilled 197
        0s  spilled 198
        0s  spilled 199
        0s  spilled 200
        0s  spilled 201
        0s  spilled 202
        0s  spilled 203
        0s  spilled 204
        0s  spilled 205
        0s  spilled 206
        0s  spilled 207
        0s  spilled 208
        0s  spilled 209
        0s  spilled 210
        0s  spilled 211
        0s  spilled 212
        0s  spilled 213
        0s  spilled 214
        0s  spilled 215
        0s  spilled 216
        0s  spilled 217
        0s  spilled 218
        0s  spilled 219
        0s  spilled 220
        0s  spilled 221
        0s  spilled 222
        0s  spilled 223
        0s  spilled 224
        0s  spilled 225
        0s  spilled 226
        0s  spilled 227
        0s  spilled 228
        0s  spilled 229
        0s  spilled 230
        0s  spilled 231
        0s  spilled 232
        0s  spilled 233
        0s  spilled 234
        0s  spilled 235
        0s  spilled 236
        0s  spilled 237
        0s  spilled 238
        0s  spilled 239
        0s  spilled 240
        0s  spilled 241
        0s  spilled 242
        0s  spilled 243
        0s  spilled 244
        0s  spilled 245
        0s  spilled 246
        0s  spilled 247
        0s  spilled 248
        0s  spilled 249
        0s  spilled 250
        0s  spilled 251
        0s  spilled 252
        0s  spilled 253
        0s  spilled 254
        0s  spilled 255
        0s  spilled 256
        0s  spilled 257
        0s  spilled 258
        0s  spilled 259
        0s  spilled 260
        0s  spilled 261
        0s  spilled 262
        0s  spilled 263
        0s  spilled 264
        0s  spilled 265
        0s  spilled 266
        0s  spilled 267
        0s  spilled 268
        0s  spilled 269
        0s  spilled 270
        0s  spilled 271
        0s  spilled 272
        0s  spilled 273
        0s  spilled 274
        0s  spilled 275
        0s  spilled 276
        0s  spilled 277
        0s  spilled 278
        0s  spilled 279
        0s  spilled 280
        0s  spilled 281
        0s  spilled 282
        0s  spilled 283
        0s  spilled 284
        0s  spilled 285
        0s  spilled 286
        0s  spilled 287
        0s  spilled 288
        0s  spilled 289
        0s  spilled 290
        0s  spilled 291
        0s  spilled 292
        0s  spilled 293
        0s  spilled 294
        0s  spilled 295
        0s  spilled 296
        0s  spilled 297
        0s  spilled 298
        0s  spilled 299
        0s  spilled 300
        0s  spilled 301
        0s  spilled 302
        0s  spilled 303
        0s  spilled 304
        0s  spilled 305
        0s  spilled 306
        0s  spilled 307
        0s  spilled 308
        0s  spilled 309
        0s  spilled 310
        0s  spilled 311
        0s  spilled 312
        0s  spilled 313
        0s  spilled 314
        0s  spilled 315
        0s  spilled 316
        0s  spilled 317
        0s  spilled 318
        0s  spilled 319
        0s  spilled 320
        0s  spilled 321
        0s  spilled 322
        0s  spilled 323
        0s  spilled 324
        0s  spilled 325
        0s  spilled 326
        0s  spilled 327
        0s  spilled 328
        0s  spilled 329
        0s  spilled 330
        0s  spilled 331
        0s  spilled 332
        0s  spilled 333
        0s  spilled 334
        0s  spilled 335
        0s  spilled 336
        0s  spilled 337
        0s  spilled 338
        0s  spilled 339
        0s  spilled 340
        0s  spilled 341
        0s  spilled 342
        0s  spilled 343
        0s  spilled 344
        0s  spilled 345
        0s  spilled 346
        0s  spilled 347
        0s  spilled 348
        0s  spilled 349
        0s  spilled 350
        0s  spilled 351
        0s  spilled 352
        0s  spilled 353
        0s  spilled 354
        0s  spilled 355
        0s  spilled 356
        0s  spilled 357
        0s  spilled 358
        0s  spilled 359
        0s  spilled 360
        0s  spilled 361
        0s  spilled 362
        0s  spilled 363
        0s  spilled 364
        0s  spilled 365
        0s  spilled 366
        0s  spilled 367
        0s  spilled 368
        0s  spilled 369
        0s  spilled 370
        0s  spilled 371
        0s  spilled 372
        0s  spilled 373
        0s  spilled 374
        0s  spilled 375
        0s  spilled 376
        0s  spilled 377
        0s  spilled 378
        0s  spilled 379
        0s  spilled 380
        0s  spilled 381
        0s  spilled 382
        0s  spilled 383
        0s  spilled 384
        0s  spilled 385
        0s  spilled 386
        0s  spilled 387
        0s  spilled 388
        0s  spilled 389
        0s  spilled 390
        0s  spilled 391
        0s  spilled 392
        0s  spilled 393
        0s  spilled 394
        0s  spilled 395
        0s  spilled 396
        0s  spilled 397
        0s  spilled 398
        0s  spilled 399
        0s  spilled 400
        0s  spilled 401
        0s  spilled 402
        0s  spilled 403
        0s  spilled 404
        0s  spilled 405
        0s  spilled 406
        0s  spilled 407
        0s  spilled 408
        0s  spilled 409
        0s  spilled 410
        0s  spilled 411
        0s  spilled 412
        0s  spilled 413
        0s  spilled 414
        0s  spilled 415
        0s  spilled 416
        0s  spilled 417
        0s  spilled 418
        0s  spilled 419
        0s  spilled 420
        0s  spilled 421
        0s  spilled 422
        0s  spilled 423
        0s  spilled 424
        0s  spilled 425
        0s  spilled 426
        0s  spilled 427
        0s  spilled 428
        0s  spilled 429
        0s  spilled 430
        0s  spilled 431
        0s  spilled 432
        0s  spilled 433
        0s  spilled 434
        0s  spilled 435
        0s  spilled 436
        0s  spilled 437
        0s  spilled 438
        0s  spilled 439
        0s  spilled 440
        0s  spilled 441
        0s  spilled 442
        0s  spilled 443
        0s  spilled 444
        0s  spilled 445
        0s  spilled 446
        0s  spilled 447
        0s  spilled 448
        0s  spilled 449
        0s  spilled 450
        0s  spilled 451
        0s  spilled 452
        0s  spilled 453
        0s  spilled 454
        0s  spilled 455
        0s  spilled 456
        0s  spilled 457
        0s  spilled 458
        0s  spilled 459
        0s  spilled 460
        0s  spilled 461
        0s  spilled 462
        0s  spilled 463
        0s  spilled 464
        0s  spilled 465
        0s  spilled 466
        0s  spilled 467
        0s  spilled 468
        0s  spilled 469
        0s  spilled 470
        0s  spilled 471
        0s  spilled 472
        0s  spilled 473
        0s  spilled 474
        0s  spilled 475
        0s  spilled 476
        0s  spilled 477
        0s  spilled 478
        0s  spilled 479
        0s  spilled 480
        0s  spilled 481
        0s  spilled 482
        0s  spilled 483
        0s  spilled 484
        0s  spilled 485
        0s  spilled 486
        0s  spilled 487
        0s  spilled 488
        0s  spilled 489
        0s  spilled 490
        0s  spilled 491
        0s  spilled 492
        0s  spilled 493
        0s  spilled 494
        0s  spilled 495
        0s  spilled 496
        0s  spilled 497
        0s  spilled 498
        0s  spilled 499
        0s  spilled 500
        0s  spilled 501
        0s  spilled 502
        0s  spilled 503
        0s  spilled 504
        0s  spilled 505
        0s  spilled 506
        0s  spilled 507
        0s  spilled 508
        0s  spilled 509
        0s  spilled 510
        0s  spilled 511
        0s  spilled 512
        0s  spilled 513
        0s  spilled 514
        0s  spilled 515
        0s  spilled 516
        0s  spilled 517
        0s  spilled 518
        0s  spilled 519
        0s  spilled 520
        0s  spilled 521
        0s  spilled 522
        0s  spilled 523
        0s  spilled 524
        0s  spilled 525
        0s  spilled 526
        0s  spilled 527
        0s  spilled 528
        0s  spilled 529
        0s  spilled 530
        0s  spilled 531
        0s  spilled 532
        0s  spilled 533
        0s  spilled 534
        0s  spilled 535
        0s  spilled 536
        0s  spilled 537
        0s  spilled 538
        0s  spilled 539
        0s  spilled 540
        0s  spilled 541
        0s  spilled 542
        0s  spilled 543
        0s  spilled 544
        0s  spilled 545
        0s  spilled 546
        0s  spilled 547
        0s  spilled 548
        0s  spilled 549
        0s  spilled 550
        0s  spilled 551
        0s  spilled 552
        0s  spilled 553
        0s  spilled 554
        0s  spilled 555
        0s  spilled 556
        0s  spilled 557
        0s  spilled 558
        0s  spilled 559
        0s  spilled 560
        0s  spilled 561
        0s  spilled 562
        0s  spilled 563
        0s  spilled 564
        0s  spilled 565
        0s  spilled 566
        0s  spilled 567
        0s  spilled 568
        0s  spilled 569
        0s  spilled 570
        0s  spilled 571
        0s  spilled 572
        0s  spilled 573
        0s  spilled 574
        0s  spilled 575
        0s  spilled 576
        0s  spilled 577
        0s  spilled 578
        0s  spilled 579
        0s  spilled 580
        0s  spilled 581
        0s  spilled 582
        0s  spilled 583
        0s  spilled 584
        0s  spilled 585
        0s  spilled 586
        0s  spilled 587
        0s  spilled 588
        0s  spilled 589
        0s  spilled 590
        0s  spilled 591
        0s  spilled 592
        0s  spilled 593
        0s  spilled 594
        0s  spilled 595
        0s  spilled 596
        0s  spilled 597
        0s  spilled 598
        0s  spilled 599
        0s  spilled 600
        0s  spilled 601
        0s  spilled 602
        0s  spilled 603
        0s  spilled 604
        0s  spilled 605
        0s  spilled 606
        0s  spilled 607
        0s  spilled 608
        0s  spilled 609
        0s  spilled 610
        0s  spilled 611
        0s  spilled 612
        0s  spilled 613
        0s  spilled 614
        0s  spilled 615
        0s  spilled 616
        0s  spilled 617
        0s  spilled 618
        0s  spilled 619
        0s  spilled 620
        0s  spilled 621
        0s  spilled 622
        0s  spilled 623
        0s  spilled 624
        0s  spilled 625
        0s  spilled 626
        0s  spilled 627
        0s  spilled 628
        0s  spilled 629
        0s  spilled 630
        0s  spilled 631
        0s  spilled 632
        0s  spilled 633
        0s  spilled 634
        0s  spilled 635
        0s  spilled 636
        0s  spilled 637
        0s  spilled 638
        0s  spilled 639
        0s  spilled 640
        0s  spilled 641
        0s  spilled 642
        0s  spilled 643
        0s  spilled 644
        0s  spilled 645
        0s  spilled 646
        0s  spilled 647
        0s  spilled 648
        0s  spilled 649
        0s  spilled 650
        0s  spilled 651
        0s  spilled 652
        0s  spilled 653
        0s  spilled 654
        0s  spilled 655
        0s  spilled 656
        0s  spilled 657
        0s  spilled 658
        0s  spilled 659
        0s  spilled 660
        0s  spilled 661
        0s  spilled 662
        0s  spilled 663
        0s  spilled 664
        0s  spilled 665
        0s  spilled 666
        0s  spilled 667
        0s  spilled 668
        0s  spilled 669
        0s  spilled 670
        0s  spilled 671
        0s  spilled 672
        0s  spilled 673
        0s  spilled 674
        0s  spilled 675
        0s  spilled 676
        0s  spilled 677
        0s  spilled 678
        0s  spilled 679
        0s  spilled 680
        0s  spilled 681
        0s  spilled 682
        0s  spilled 683
        0s  spilled 684
        0s  spilled 685
        0s  spilled 686
        0s  spilled 687
        0s  spilled 688
        0s  spilled 689
        0s  spilled 690
        0s  spilled 691
        0s  spilled 692
        0s  spilled 693
        0s  spilled 694
        0s  spilled 695
        0s  spilled 696
        0s  spilled 697
        0s  spilled 698
        0s  spilled 699
        0s  spilled 700
        0s  spilled 701
        0s  spilled 702
        0s  spilled 703
        0s  spilled 704
        0s  spilled 705
        0s  spilled 706
        0s  spilled 707
        0s  spilled 708
        0s  spilled 709
        0s  spilled 710
        0s  spilled 711
        0s  spilled 712
        0s  spilled 713
        0s  spilled 714
        0s  spilled 715
        0s  spilled 716
        0s  spilled 717
        0s  spilled 718
        0s  spilled 719
        0s  spilled 720
        0s  spilled 721
        0s  spilled 722
        0s  spilled 723
        0s  spilled 724
        0s  spilled 725
        0s  spilled 726
        0s  spilled 727
        0s  spilled 728
        0s  spilled 729
        0s  spilled 730
        0s  spilled 731
        0s  spilled 732
        0s  spilled 733
        0s  spilled 734
        0s  spilled 735
        0s  spilled 736
        0s  spilled 737
        0s  spilled 738
        0s  spilled 739
        0s  spilled 740
        0s  spilled 741
        0s  spilled 742
        0s  spilled 743
        0s  spilled 744
        0s  spilled 745
        0s  spilled 746
        0s  spilled 747
        0s  spilled 748
        0s  spilled 749
        0s  spilled 750
        0s  spilled 751
        0s  spilled 752
        0s  spilled 753
        0s  spilled 754
        0s  spilled 755
        0s  spilled 756
        0s  spilled 757
        0s  spilled 758
        0s  spilled 759
        0s  spilled 760
        0s  spilled 761
        0s  spilled 762
        0s  spilled 763
        0s  spilled 764
        0s  spilled 765
        0s  spilled 766
        0s  spilled 767
        0s  spilled 768
        0s  spilled 769
        0s  spilled 770
        0s  spilled 771
        0s  spilled 772
        0s  spilled 773
        0s  spilled 774
        0s  spilled 775
        0s  spilled 776
        0s  spilled 777
        0s  spilled 778
        0s  spilled 779
        0s  spilled 780
        0s  spilled 781
        0s  spilled 782
        0s  spilled 783
        0s  spilled 784
        0s  spilled 785
        0s  spilled 786
        0s  spilled 787
        0s  spilled 788
        0s  spilled 789
        0s  spilled 790
        0s  spilled 791
        0s  spilled 792
        0s  spilled 793
        0s  spilled 794
        0s  spilled 795
        0s  spilled 796
        0s  spilled 797
        0s  spilled 798
        0s  spilled 799
        0s  spilled 800
        0s  spilled 801
        0s  spilled 802
        0s  spilled 803
        0s  spilled 804
        0s  spilled 805
        0s  spilled 806
        0s  spilled 807
        0s  spilled 808
        0s  spilled 809
        0s  spilled 810
        0s  spilled 811
        0s  spilled 812
        0s  spilled 813
        0s  spilled 814
        0s  spilled 815
        0s  spilled 816
        0s  spilled 817
        0s  spilled 818
        0s  spilled 819
        0s  spilled 820
        0s  spilled 821
        0s  spilled 822
        0s  spilled 823
        0s  spilled 824
        0s  spilled 825
        0s  spilled 826
        0s  spilled 827
        0s  spilled 828
        0s  spilled 829
        0s  spilled 830
        0s  spilled 831
        0s  spilled 832
        0s  spilled 833
        0s  spilled 834
        0s  spilled 835
        0s  spilled 836
        0s  spilled 837
        0s  spilled 838
        0s  spilled 839
        0s  spilled 840
        0s  spilled 841
        0s  spilled 842
        0s  spilled 843
        0s  spilled 844
        0s  spilled 845
        0s  spilled 846
        0s  spilled 847
        0s  spilled 848
        0s  spilled 849
        0s  spilled 850
        0s  spilled 851
        0s  spilled 852
        0s  spilled 853
        0s  spilled 854
        0s  spilled 855
        0s  spilled 856
        0s  spilled 857
        0s  spilled 858
        0s  spilled 859
        0s  spilled 860
        0s  spilled 861
        0s  spilled 862
        0s  spilled 863
        0s  spilled 864
        0s  spilled 865
        0s  spilled 866
        0s  spilled 867
        0s  spilled 868
        0s  spilled 869
        0s  spilled 870
        0s  spilled 871
        0s  spilled 872
        0s  spilled 873
        0s  spilled 874
        0s  rejected 875: disk_busy
        0s  rejected 876: disk_busy
        0s  rejected 877: disk_busy
        0s  rejected 878: disk_busy
        0s  rejected 879: disk_busy
        0s  rejected 880: disk_busy
        0s  rejected 881: disk_busy
        0s  rejected 882: disk_busy
        0s  rejected 883: disk_busy
        0s  rejected 884: disk_busy
        0s  rejected 885: disk_busy
        0s  rejected 886: disk_busy
        0s  rejected 887: disk_busy
        0s  rejected 888: disk_busy
        0s  rejected 889: disk_busy
        0s  rejected 890: disk_busy
        0s  rejected 891: disk_busy
        0s  rejected 892: disk_busy
        0s  rejected 893: disk_busy
        0s  rejected 894: disk_busy
        0s  rejected 895: disk_busy
        0s  rejected 896: disk_busy
        0s  rejected 897: disk_busy
        0s  rejected 898: disk_busy
        0s  rejected 899: disk_busy
        0s  rejected 900: disk_busy
        0s  rejected 901: disk_busy
        0s  rejected 902: disk_busy
        0s  rejected 903: disk_busy
        0s  rejected 904: disk_busy
        0s  rejected 905: disk_busy
        0s  rejected 906: disk_busy
        0s  rejected 907: disk_busy
        0s  rejected 908: disk_busy
        0s  rejected 909: disk_busy
        0s  rejected 910: disk_busy
        0s  rejected 911: disk_busy
        0s  rejected 912: disk_busy
        0s  rejected 913: disk_busy
        0s  rejected 914: disk_busy
        0s  rejected 915: disk_busy
        0s  rejected 916: disk_busy
        0s  rejected 917: disk_busy
        0s  rejected 918: disk_busy
        0s  rejected 919: disk_busy
        0s  rejected 920: disk_busy
        0s  rejected 921: disk_busy
        0s  rejected 922: disk_busy
        0s  rejected 923: disk_busy
        0s  rejected 924: disk_busy
        0s  rejected 925: disk_busy
        0s  rejected 926: disk_busy
        0s  rejected 927: disk_busy
        0s  rejected 928: disk_busy
        0s  rejected 929: disk_busy
        0s  rejected 930: disk_busy
        0s  rejected 931: disk_busy
        0s  rejected 932: disk_busy
        0s  rejected 933: disk_busy
        0s  rejected 934: disk_busy
        0s  rejected 935: disk_busy
        0s  rejected 936: disk_busy
        0s  rejected 937: disk_busy
        0s  rejected 938: disk_busy
        0s  rejected 939: disk_busy
        0s  rejected 940: disk_busy
        0s  rejected 941: disk_busy
        0s  rejected 942: disk_busy
        0s  rejected 943: disk_busy
        0s  rejected 944: disk_busy
        0s  rejected 945: disk_busy
        0s  rejected 946: disk_busy
        0s  rejected 947: disk_busy
        0s  rejected 948: disk_busy
        0s  rejected 949: disk_busy
        0s  rejected 950: disk_busy
        0s  rejected 951: disk_busy
        0s  rejected 952: disk_busy
        0s  rejected 953: disk_busy
        0s  rejected 954: disk_busy
        0s  rejected 955: disk_busy
        0s  rejected 956: disk_busy
        0s  rejected 957: disk_busy
        0s  rejected 958: disk_busy
        0s  rejected 959: disk_busy
        0s  rejected 960: disk_busy
        0s  rejected 961: disk_busy
        0s  rejected 962: disk_busy
        0s  rejected 963: disk_busy
        0s  rejected 964: disk_busy
        0s  rejected 965: disk_busy
        0s  rejected 966: disk_busy
        0s  rejected 967: disk_busy
        0s  rejected 968: disk_busy
        0s  rejected 969: disk_busy
        0s  rejected 970: disk_busy
        0s  rejected 971: disk_busy
        0s  rejected 972: disk_busy
        0s  rejected 973: disk_busy
        0s  rejected 974: disk_busy
        0s  rejected 975: disk_busy
        0s  rejected 976: disk_busy
        0s  rejected 977: disk_busy
        0s  rejected 978: disk_busy
        0s  rejected 979: disk_busy
        0s  rejected 980: disk_busy
        0s  rejected 981: disk_busy
        0s  rejected 982: disk_busy
        0s  rejected 983: disk_busy
        0s  rejected 984: disk_busy
        0s  rejected 985: disk_busy
        0s  rejected 986: disk_busy
        0s  rejected 987: disk_busy
        0s  rejected 988: disk_busy
        0s  rejected 989: disk_busy
        0s  rejected 990: disk_busy
        0s  rejected 991: disk_busy
        0s  rejected 992: disk_busy
        0s  rejected 993: disk_busy
        0s  rejected 994: disk_busy
        0s  rejected 995: disk_busy
        0s  rejected 996: disk_busy
        0s  rejected 997: disk_busy
        0s  rejected 998: disk_busy
        0s  rejected 999: disk_busy
        0s  rejected 1000: disk_busy
        0s  rejected 1001: disk_busy
        0s  rejected 1002: disk_busy
        0s  rejected 1003: disk_busy
        0s  rejected 1004: disk_busy
        0s  rejected 1005: disk_busy
        0s  rejected 1006: disk_busy
        0s  rejected 1007: disk_busy
        0s  rejected 1008: disk_busy
        0s  rejected 1009: disk_busy
        0s  rejected 1010: disk_busy
        0s  rejected 1011: disk_busy
        0s  rejected 1012: disk_busy
        0s  rejected 1013: disk_busy
        0s  rejected 1014: disk_busy
        0s  rejected 1015: disk_busy
        0s  rejected 1016: disk_busy
        0s  rejected 1017: disk_busy
        0s  rejected 1018: disk_busy
        0s  rejected 1019: disk_busy
        0s  rejected 1020: disk_busy
        0s  rejected 1021: disk_busy
        0s  rejected 1022: disk_busy
        0s  rejected 1023: disk_busy
        0s  rejected 1024: disk_busy
        0s  rejected 1025: disk_busy
        0s  rejected 1026: disk_busy
        0s  rejected 1027: disk_busy
        0s  rejected 1028: disk_busy
        0s  rejected 1029: disk_busy
        0s  rejected 1030: disk_busy
        0s  rejected 1031: disk_busy
        0s  rejected 1032: disk_busy
        0s  rejected 1033: disk_busy
        0s  rejected 1034: disk_busy
        0s  rejected 1035: disk_busy
        0s  rejected 1036: disk_busy
        0s  rejected 1037: disk_busy
        0s  rejected 1038: disk_busy
        0s  rejected 1039: disk_busy
        0s  rejected 1040: disk_busy
        0s  rejected 1041: disk_busy
        0s  rejected 1042: disk_busy
        0s  rejected 1043: disk_busy
        0s  rejected 1044: disk_busy
        0s  rejected 1045: disk_busy
        0s  rejected 1046: disk_busy
        0s  rejected 1047: disk_busy
        0s  rejected 1048: disk_busy
        0s  rejected 1049: disk_busy
        0s  rejected 1050: disk_busy
        0s  rejected 1051: disk_busy
        0s  rejected 1052: disk_busy
        0s  rejected 1053: disk_busy
        0s  rejected 1054: disk_busy
        0s  rejected 1055: disk_busy
        0s  rejected 1056: disk_busy
        0s  rejected 1057: disk_busy
        0s  rejected 1058: disk_busy
        0s  rejected 1059: disk_busy
        0s  rejected 1060: disk_busy
        0s  rejected 1061: disk_busy
        0s  rejected 1062: disk_busy
        0s  rejected 1063: disk_busy
        0s  rejected 1064: disk_busy
        0s  rejected 1065: disk_busy
        0s  rejected 1066: disk_busy
        0s  rejected 1067: disk_busy
        0s  rejected 1068: disk_busy
        0s  rejected 1069: disk_busy
        0s  rejected 1070: disk_busy
        0s  rejected 1071: disk_busy
        0s  rejected 1072: disk_busy
        0s  rejected 1073: disk_busy
        0s  rejected 1074: disk_busy
        0s  rejected 1075: disk_busy
        0s  rejected 1076: disk_busy
        0s  rejected 1077: disk_busy
        0s  rejected 1078: disk_busy
        0s  rejected 1079: disk_busy
        0s  rejected 1080: disk_busy
        0s  rejected 1081: disk_busy
        0s  rejected 1082: disk_busy
        0s  rejected 1083: disk_busy
        0s  rejected 1084: disk_busy
        0s  rejected 1085: disk_busy
        0s  rejected 1086: disk_busy
        0s  rejected 1087: disk_busy
        0s  rejected 1088: disk_busy
        0s  rejected 1089: disk_busy
        0s  rejected 1090: disk_busy
        0s  rejected 1091: disk_busy
        0s  rejected 1092: disk_busy
        0s  rejected 1093: disk_busy
        0s  rejected 1094: disk_busy
        0s  rejected 1095: disk_busy
        0s  rejected 1096: disk_busy
        0s  rejected 1097: disk_busy
        0s  rejected 1098: disk_busy
        0s  rejected 1099: disk_busy
        0s  rejected 1100: disk_busy
        0s  rejected 1101: disk_busy
        0s  rejected 1102: disk_busy
        0s  rejected 1103: disk_busy
        0s  rejected 1104: disk_busy
        0s  rejected 1105: disk_busy
        0s  rejected 1106: disk_busy
        0s  rejected 1107: disk_busy
        0s  rejected 1108: disk_busy
        0s  rejected 1109: disk_busy
        0s  rejected 1110: disk_busy
        0s  rejected 1111: disk_busy
        0s  rejected 1112: disk_busy
        0s  rejected 1113: disk_busy
        0s  rejected 1114: disk_busy
        0s  rejected 1115: disk_busy
        0s  rejected 1116: disk_busy
        0s  rejected 1117: disk_busy
        0s  rejected 1118: disk_busy
        0s  rejected 1119: disk_busy
        0s  rejected 1120: disk_busy
        0s  rejected 1121: disk_busy
        0s  rejected 1122: disk_busy
        0s  rejected 1123: disk_busy
        0s  rejected 1124: disk_busy
        0s  rejected 1125: disk_busy
        0s  rejected 1126: disk_busy
        0s  rejected 1127: disk_busy
        0s  rejected 1128: disk_busy
        0s  rejected 1129: disk_busy
        0s  rejected 1130: disk_busy
        0s  rejected 1131: disk_busy
        0s  rejected 1132: disk_busy
        0s  rejected 1133: disk_busy
        0s  rejected 1134: disk_busy
        0s  rejected 1135: disk_busy
        0s  rejected 1136: disk_busy
        0s  rejected 1137: disk_busy
        0s  rejected 1138: disk_busy
        0s  rejected 1139: disk_busy
        0s  rejected 1140: disk_busy
        0s  rejected 1141: disk_busy
        0s  rejected 1142: disk_busy
        0s  rejected 1143: disk_busy
        0s  rejected 1144: disk_busy
        0s  rejected 1145: disk_busy
        0s  rejected 1146: disk_busy
        0s  rejected 1147: disk_busy
        0s  rejected 1148: disk_busy
        0s  rejected 1149: disk_busy
        0s  rejected 1150: disk_busy
        0s  rejected 1151: disk_busy
        0s  rejected 1152: disk_busy
        0s  rejected 1153: disk_busy
        0s  rejected 1154: disk_busy
        0s  rejected 1155: disk_busy
        0s  rejected 1156: disk_busy
        0s  rejected 1157: disk_busy
        0s  rejected 1158: disk_busy
        0s  rejected 1159: disk_busy
        0s  rejected 1160: disk_busy
        0s  rejected 1161: disk_busy
        0s  rejected 1162: disk_busy
        0s  rejected 1163: disk_busy
        0s  rejected 1164: disk_busy
        0s  rejected 1165: disk_busy
        0s  rejected 1166: disk_busy
        0s  rejected 1167: disk_busy
        0s  rejected 1168: disk_busy
        0s  rejected 1169: disk_busy
        0s  rejected 1170: disk_busy
        0s  rejected 1171: disk_busy
        0s  rejected 1172: disk_busy
        0s  rejected 1173: disk_busy
        0s  rejected 1174: disk_busy
        0s  rejected 1175: disk_busy
        0s  rejected 1176: disk_busy
        0s  rejected 1177: disk_busy
        0s  rejected 1178: disk_busy
        0s  rejected 1179: disk_busy
        0s  rejected 1180: disk_busy
        0s  rejected 1181: disk_busy
        0s  rejected 1182: disk_busy
        0s  rejected 1183: disk_busy
        0s  rejected 1184: disk_busy
        0s  rejected 1185: disk_busy
        0s  rejected 1186: disk_busy
        0s  rejected 1187: disk_busy
        0s  rejected 1188: disk_busy
        0s  rejected 1189: disk_busy
        0s  rejected 1190: disk_busy
        0s  rejected 1191: disk_busy
        0s  rejected 1192: disk_busy
        0s  rejected 1193: disk_busy
        0s  rejected 1194: disk_busy
        0s  rejected 1195: disk_busy
        0s  rejected 1196: disk_busy
        0s  rejected 1197: disk_busy
        0s  rejected 1198: disk_busy
        0s  rejected 1199: disk_busy
        0s  rejected 1200: disk_busy
        0s  rejected 1201: disk_busy
        0s  rejected 1202: disk_busy
        0s  rejected 1203: disk_busy
        0s  rejected 1204: disk_busy
        0s  rejected 1205: disk_busy
        0s  rejected 1206: disk_busy
        0s  rejected 1207: disk_busy
        0s  rejected 1208: disk_busy
        0s  rejected 1209: disk_busy
        0s  rejected 1210: disk_busy
        0s  rejected 1211: disk_busy
        0s  rejected 1212: disk_busy
        0s  rejected 1213: disk_busy
        0s  rejected 1214: disk_busy
        0s  rejected 1215: disk_busy
        0s  rejected 1216: disk_busy
        0s  rejected 1217: disk_busy
        0s  rejected 1218: disk_busy
        0s  rejected 1219: disk_busy
        0s  rejected 1220: disk_busy
        0s  rejected 1221: disk_busy
        0s  rejected 1222: disk_busy
        0s  rejected 1223: disk_busy
        0s  rejected 1224: disk_busy
        0s  rejected 1225: disk_busy
        0s  rejected 1226: disk_busy
        0s  rejected 1227: disk_busy
        0s  rejected 1228: disk_busy
        0s  rejected 1229: disk_busy
        0s  rejected 1230: disk_busy
        0s  rejected 1231: disk_busy
        0s  rejected 1232: disk_busy
        0s  rejected 1233: disk_busy
        0s  rejected 1234: disk_busy
        0s  rejected 1235: disk_busy
        0s  rejected 1236: disk_busy
        0s  rejected 1237: disk_busy
        0s  rejected 1238: disk_busy
        0s  rejected 1239: disk_busy
        0s  rejected 1240: disk_busy
        0s  rejected 1241: disk_busy
        0s  rejected 1242: disk_busy
        0s  rejected 1243: disk_busy
        0s  rejected 1244: disk_busy
        0s  rejected 1245: disk_busy
        0s  rejected 1246: disk_busy
        0s  rejected 1247: disk_busy
        0s  rejected 1248: disk_busy
        0s  rejected 1249: disk_busy
        0s  rejected 1250: disk_busy
        0s  rejected 1251: disk_busy
        0s  rejected 1252: disk_busy
        0s  rejected 1253: disk_busy
        0s  rejected 1254: disk_busy
        0s  rejected 1255: disk_busy
        0s  rejected 1256: disk_busy
        0s  rejected 1257: disk_busy
        0s  rejected 1258: disk_busy
        0s  rejected 1259: disk_busy
        0s  rejected 1260: disk_busy
        0s  rejected 1261: disk_busy
        0s  rejected 1262: disk_busy
        0s  rejected 1263: disk_busy
        0s  rejected 1264: disk_busy
        0s  rejected 1265: disk_busy
        0s  rejected 1266: disk_busy
        0s  rejected 1267: disk_busy
        0s  rejected 1268: disk_busy
        0s  rejected 1269: disk_busy
        0s  rejected 1270: disk_busy
        0s  rejected 1271: disk_busy
        0s  rejected 1272: disk_busy
        0s  rejected 1273: disk_busy
        0s  rejected 1274: disk_busy
        0s  rejected 1275: disk_busy
        0s  rejected 1276: disk_busy
        0s  rejected 1277: disk_busy
        0s  rejected 1278: disk_busy
        0s  rejected 1279: disk_busy
        0s  rejected 1280: disk_busy
        0s  rejected 1281: disk_busy
        0s  rejected 1282: disk_busy
        0s  rejected 1283: disk_busy
        0s  rejected 1284: disk_busy
        0s  rejected 1285: disk_busy
        0s  rejected 1286: disk_busy
        0s  rejected 1287: disk_busy
        0s  rejected 1288: disk_busy
        0s  rejected 1289: disk_busy
        0s  rejected 1290: disk_busy
        0s  rejected 1291: disk_busy
        0s  rejected 1292: disk_busy
        0s  rejected 1293: disk_busy
        0s  rejected 1294: disk_busy
        0s  rejected 1295: disk_busy
        0s  rejected 1296: disk_busy
        0s  rejected 1297: disk_busy
        0s  rejected 1298: disk_busy
        0s  rejected 1299: disk_busy
        0s  rejected 1300: disk_busy
        0s  rejected 1301: disk_busy
        0s  rejected 1302: disk_busy
        0s  rejected 1303: disk_busy
        0s  rejected 1304: disk_busy
        0s  rejected 1305: disk_busy
        0s  rejected 1306: disk_busy
        0s  rejected 1307: disk_busy
        0s  rejected 1308: disk_busy
        0s  rejected 1309: disk_busy
        0s  rejected 1310: disk_busy
        0s  rejected 1311: disk_busy
        0s  rejected 1312: disk_busy
        0s  rejected 1313: disk_busy
        0s  rejected 1314: disk_busy
        0s  rejected 1315: disk_busy
        0s  rejected 1316: disk_busy
        0s  rejected 1317: disk_busy
        0s  rejected 1318: disk_busy
        0s  rejected 1319: disk_busy
        0s  rejected 1320: disk_busy
        0s  rejected 1321: disk_busy
        0s  rejected 1322: disk_busy
        0s  rejected 1323: disk_busy
        0s  rejected 1324: disk_busy
        0s  rejected 1325: disk_busy
        0s  rejected 1326: disk_busy
        0s  rejected 1327: disk_busy
        0s  rejected 1328: disk_busy
        0s  rejected 1329: disk_busy
        0s  rejected 1330: disk_busy
        0s  rejected 1331: disk_busy
        0s  rejected 1332: disk_busy
        0s  rejected 1333: disk_busy
        0s  rejected 1334: disk_busy
        0s  rejected 1335: disk_busy
        0s  rejected 1336: disk_busy
        0s  rejected 1337: disk_busy
        0s  rejected 1338: disk_busy
        0s  rejected 1339: disk_busy
        0s  rejected 1340: disk_busy
        0s  rejected 1341: disk_busy
        0s  rejected 1342: disk_busy
        0s  rejected 1343: disk_busy
        0s  rejected 1344: disk_busy
        0s  rejected 1345: disk_busy
        0s  rejected 1346: disk_busy
        0s  rejected 1347: disk_busy
        0s  rejected 1348: disk_busy
        0s  rejected 1349: disk_busy
        0s  rejected 1350: disk_busy
        0s  rejected 1351: disk_busy
        0s  rejected 1352: disk_busy
        0s  rejected 1353: disk_busy
        0s  rejected 1354: disk_busy
        0s  rejected 1355: disk_busy
        0s  rejected 1356: disk_busy
        0s  rejected 1357: disk_busy
        0s  rejected 1358: disk_busy
        0s  rejected 1359: disk_busy
        0s  rejected 1360: disk_busy
        0s  rejected 1361: disk_busy
        0s  rejected 1362: disk_busy
        0s  rejected 1363: disk_busy
        0s  rejected 1364: disk_busy
        0s  rejected 1365: disk_busy
        0s  rejected 1366: disk_busy
        0s  rejected 1367: disk_busy
        0s  rejected 1368: disk_busy
        0s  rejected 1369: disk_busy
        0s  rejected 1370: disk_busy
        0s  rejected 1371: disk_busy
        0s  rejected 1372: disk_busy
        0s  rejected 1373: disk_busy
        0s  rejected 1374: disk_busy
        0s  rejected 1375: disk_busy
        0s  rejected 1376: disk_busy
        0s  rejected 1377: disk_busy
        0s  rejected 1378: disk_busy
        0s  rejected 1379: disk_busy
        0s  rejected 1380: disk_busy
        0s  rejected 1381: disk_busy
        0s  rejected 1382: disk_busy
        0s  rejected 1383: disk_busy
        0s  rejected 1384: disk_busy
        0s  rejected 1385: disk_busy
        0s  rejected 1386: disk_busy
        0s  rejected 1387: disk_busy
        0s  rejected 1388: disk_busy
        0s  rejected 1389: disk_busy
        0s  rejected 1390: disk_busy
        0s  rejected 1391: disk_busy
        0s  rejected 1392: disk_busy
        0s  rejected 1393: disk_busy
        0s  rejected 1394: disk_busy
        0s  rejected 1395: disk_busy
        0s  rejected 1396: disk_busy
        0s  rejected 1397: disk_busy
        0s  rejected 1398: disk_busy
        0s  rejected 1399: disk_busy
        0s  rejected 1400: disk_busy
        0s  rejected 1401: disk_busy
        0s  rejected 1402: disk_busy
        0s  rejected 1403: disk_busy
        0s  rejected 1404: disk_busy
        0s  rejected 1405: disk_busy
        0s  rejected 1406: disk_busy
        0s  rejected 1407: disk_busy
        0s  rejected 1408: disk_busy
        0s  rejected 1409: disk_busy
        0s  rejected 1410: disk_busy
        0s  rejected 1411: disk_busy
        0s  rejected 1412: disk_busy
        0s  rejected 1413: disk_busy
        0s  rejected 1414: disk_busy
        0s  rejected 1415: disk_busy
        0s  rejected 1416: disk_busy
        0s  rejected 1417: disk_busy
        0s  rejected 1418: disk_busy
        0s  rejected 1419: disk_busy
        0s  rejected 1420: disk_busy
        0s  rejected 1421: disk_busy
        0s  rejected 1422: disk_busy
        0s  rejected 1423: disk_busy
        0s  rejected 1424: disk_busy
        0s  rejected 1425: disk_busy
        0s  rejected 1426: disk_busy
        0s  rejected 1427: disk_busy
        0s  rejected 1428: disk_busy
        0s  rejected 1429: disk_busy
        0s  rejected 1430: disk_busy
        0s  rejected 1431: disk_busy
        0s  rejected 1432: disk_busy
        0s  rejected 1433: disk_busy
        0s  rejected 1434: disk_busy
        0s  rejected 1435: disk_busy
        0s  rejected 1436: disk_busy
        0s  rejected 1437: disk_busy
        0s  rejected 1438: disk_busy
        0s  rejected 1439: disk_busy
        0s  rejected 1440: disk_busy
        0s  rejected 1441: disk_busy
        0s  rejected 1442: disk_busy
        0s  rejected 1443: disk_busy
        0s  rejected 1444: disk_busy
        0s  rejected 1445: disk_busy
        0s  rejected 1446: disk_busy
        0s  rejected 1447: disk_busy
        0s  rejected 1448: disk_busy
        0s  rejected 1449: disk_busy
        0s  rejected 1450: disk_busy
        0s  rejected 1451: disk_busy
        0s  rejected 1452: disk_busy
        0s  rejected 1453: disk_busy
        0s  rejected 1454: disk_busy
        0s  rejected 1455: disk_busy
        0s  rejected 1456: disk_busy
        0s  rejected 1457: disk_busy
        0s  rejected 1458: disk_busy
        0s  rejected 1459: disk_busy
        0s  rejected 1460: disk_busy
        0s  rejected 1461: disk_busy
        0s  rejected 1462: disk_busy
        0s  rejected 1463: disk_busy
        0s  rejected 1464: disk_busy
        0s  rejected 1465: disk_busy
        0s  rejected 1466: disk_busy
        0s  rejected 1467: disk_busy
        0s  rejected 1468: disk_busy
        0s  rejected 1469: disk_busy
        0s  rejected 1470: disk_busy
        0s  rejected 1471: disk_busy
        0s  rejected 1472: disk_busy
        0s  rejected 1473: disk_busy
        0s  rejected 1474: disk_busy
        0s  rejected 1475: disk_busy
        0s  rejected 1476: disk_busy
        0s  rejected 1477: disk_busy
        0s  rejected 1478: disk_busy
        0s  rejected 1479: disk_busy
        0s  rejected 1480: disk_busy
        0s  rejected 1481: disk_busy
        0s  rejected 1482: disk_busy
        0s  rejected 1483: disk_busy
        0s  rejected 1484: disk_busy
        0s  rejected 1485: disk_busy
        0s  rejected 1486: disk_busy
        0s  rejected 1487: disk_busy
        0s  rejected 1488: disk_busy
        0s  rejected 1489: disk_busy
        0s  rejected 1490: disk_busy
        0s  rejected 1491: disk_busy
        0s  rejected 1492: disk_busy
        0s  rejected 1493: disk_busy
        0s  rejected 1494: disk_busy
        0s  rejected 1495: disk_busy
        0s  rejected 1496: disk_busy
        0s  rejected 1497: disk_busy
        0s  rejected 1498: disk_busy
        0s  rejected 1499: disk_busy
        0s  rejected 1500: disk_busy
        0s  rejected 1501: disk_busy
        0s  rejected 1502: disk_busy
        0s  rejected 1503: disk_busy
        0s  rejected 1504: disk_busy
        0s  rejected 1505: disk_busy
        0s  rejected 1506: disk_busy
        0s  rejected 1507: disk_busy
        0s  rejected 1508: disk_busy
        0s  rejected 1509: disk_busy
        0s  rejected 1510: disk_busy
        0s  rejected 1511: disk_busy
        0s  rejected 1512: disk_busy
        0s  rejected 1513: disk_busy
        0s  rejected 1514: disk_busy
        0s  rejected 1515: disk_busy
        0s  rejected 1516: disk_busy
        0s  rejected 1517: disk_busy
        0s  rejected 1518: disk_busy
        0s  rejected 1519: disk_busy
        0s  rejected 1520: disk_busy
        0s  rejected 1521: disk_busy
        0s  rejected 1522: disk_busy
        0s  rejected 1523: disk_busy
        0s  rejected 1524: disk_busy
        0s  rejected 1525: disk_busy
        0s  rejected 1526: disk_busy
        0s  rejected 1527: disk_busy
        0s  rejected 1528: disk_busy
        0s  rejected 1529: disk_busy
        0s  rejected 1530: disk_busy
        0s  rejected 1531: disk_busy
        0s  rejected 1532: disk_busy
        0s  rejected 1533: disk_busy
        0s  rejected 1534: disk_busy
        0s  rejected 1535: disk_busy
        0s  rejected 1536: disk_busy
        0s  rejected 1537: disk_busy
        0s  rejected 1538: disk_busy
        0s  rejected 1539: disk_busy
        0s  rejected 1540: disk_busy
        0s  rejected 1541: disk_busy
        0s  rejected 1542: disk_busy
        0s  rejected 1543: disk_busy
        0s  rejected 1544: disk_busy
        0s  rejected 1545: disk_busy
        0s  rejected 1546: disk_busy
        0s  rejected 1547: disk_busy
        0s  rejected 1548: disk_busy
        0s  rejected 1549: disk_busy
        0s  rejected 1550: disk_busy
        0s  rejected 1551: disk_busy
        0s  rejected 1552: disk_busy
        0s  rejected 1553: disk_busy
        0s  rejected 1554: disk_busy
        0s  rejected 1555: disk_busy
        0s  rejected 1556: disk_busy
        0s  rejected 1557: disk_busy
        0s  rejected 1558: disk_busy
        0s  rejected 1559: disk_busy
        0s  rejected 1560: disk_busy
        0s  rejected 1561: disk_busy
        0s  rejected 1562: disk_busy
        0s  rejected 1563: disk_busy
        0s  rejected 1564: disk_busy
        0s  rejected 1565: disk_busy
        0s  rejected 1566: disk_busy
        0s  rejected 1567: disk_busy
        0s  rejected 1568: disk_busy
        0s  rejected 1569: disk_busy
        0s  rejected 1570: disk_busy
        0s  rejected 1571: disk_busy
        0s  rejected 1572: disk_busy
        0s  rejected 1573: disk_busy
        0s  rejected 1574: disk_busy
        0s  rejected 1575: disk_busy
        0s  rejected 1576: disk_busy
        0s  rejected 1577: disk_busy
        0s  rejected 1578: disk_busy
        0s  rejected 1579: disk_busy
        0s  rejected 1580: disk_busy
        0s  rejected 1581: disk_busy
        0s  rejected 1582: disk_busy
        0s  rejected 1583: disk_busy
        0s  rejected 1584: disk_busy
        0s  rejected 1585: disk_busy
        0s  rejected 1586: disk_busy
        0s  rejected 1587: disk_busy
        0s  rejected 1588: disk_busy
        0s  rejected 1589: disk_busy
        0s  rejected 1590: disk_busy
        0s  rejected 1591: disk_busy
        0s  rejected 1592: disk_busy
        0s  rejected 1593: disk_busy
        0s  rejected 1594: disk_busy
        0s  rejected 1595: disk_busy
        0s  rejected 1596: disk_busy
        0s  rejected 1597: disk_busy
        0s  rejected 1598: disk_busy
        0s  rejected 1599: disk_busy
        0s  rejected 1600: disk_busy
        0s  rejected 1601: disk_busy
        0s  rejected 1602: disk_busy
        0s  rejected 1603: disk_busy
        0s  rejected 1604: disk_busy
        0s  rejected 1605: disk_busy
        0s  rejected 1606: disk_busy
        0s  rejected 1607: disk_busy
        0s  rejected 1608: disk_busy
        0s  rejected 1609: disk_busy
        0s  rejected 1610: disk_busy
        0s  rejected 1611: disk_busy
        0s  rejected 1612: disk_busy
        0s  rejected 1613: disk_busy
        0s  rejected 1614: disk_busy
        0s  rejected 1615: disk_busy
        0s  rejected 1616: disk_busy
        0s  rejected 1617: disk_busy
        0s  rejected 1618: disk_busy
        0s  rejected 1619: disk_busy
        0s  rejected 1620: disk_busy
        0s  rejected 1621: disk_busy
        0s  rejected 1622: disk_busy
        0s  rejected 1623: disk_busy
        0s  rejected 1624: disk_busy
        0s  rejected 1625: disk_busy
        0s  rejected 1626: disk_busy
        0s  rejected 1627: disk_busy
        0s  rejected 1628: disk_busy
        0s  rejected 1629: disk_busy
        0s  rejected 1630: disk_busy
        0s  rejected 1631: disk_busy
        0s  rejected 1632: disk_busy
        0s  rejected 1633: disk_busy
        0s  rejected 1634: disk_busy
        0s  rejected 1635: disk_busy
        0s  rejected 1636: disk_busy
        0s  rejected 1637: disk_busy
        0s  rejected 1638: disk_busy
        0s  rejected 1639: disk_busy
        0s  rejected 1640: disk_busy
        0s  rejected 1641: disk_busy
        0s  rejected 1642: disk_busy
        0s  rejected 1643: disk_busy
        0s  rejected 1644: disk_busy
        0s  rejected 1645: disk_busy
        0s  rejected 1646: disk_busy
        0s  rejected 1647: disk_busy
        0s  rejected 1648: disk_busy
        0s  rejected 1649: disk_busy
        0s  rejected 1650: disk_busy
        0s  rejected 1651: disk_busy
        0s  rejected 1652: disk_busy
        0s  rejected 1653: disk_busy
        0s  rejected 1654: disk_busy
        0s  rejected 1655: disk_busy
        0s  rejected 1656: disk_busy
        0s  rejected 1657: disk_busy
        0s  rejected 1658: disk_busy
        0s  rejected 1659: disk_busy
        0s  rejected 1660: disk_busy
        0s  rejected 1661: disk_busy
        0s  rejected 1662: disk_busy
        0s  rejected 1663: disk_busy
        0s  rejected 1664: disk_busy
        0s  rejected 1665: disk_busy
        0s  rejected 1666: disk_busy
        0s  rejected 1667: disk_busy
        0s  rejected 1668: disk_busy
        0s  rejected 1669: disk_busy
        0s  rejected 1670: disk_busy
        0s  rejected 1671: disk_busy
        0s  rejected 1672: disk_busy
        0s  rejected 1673: disk_busy
        0s  rejected 1674: disk_busy
        0s  rejected 1675: disk_busy
        0s  rejected 1676: disk_busy
        0s  rejected 1677: disk_busy
        0s  rejected 1678: disk_busy
        0s  rejected 1679: disk_busy
        0s  rejected 1680: disk_busy
        0s  rejected 1681: disk_busy
        0s  rejected 1682: disk_busy
        0s  rejected 1683: disk_busy
        0s  rejected 1684: disk_busy
        0s  rejected 1685: disk_busy
        0s  rejected 1686: disk_busy
        0s  rejected 1687: disk_busy
        0s  rejected 1688: disk_busy
        0s  rejected 1689: disk_busy
        0s  rejected 1690: disk_busy
        0s  rejected 1691: disk_busy
        0s  rejected 1692: disk_busy
        0s  rejected 1693: disk_busy
        0s  rejected 1694: disk_busy
        0s  rejected 1695: disk_busy
        0s  rejected 1696: disk_busy
        0s  rejected 1697: disk_busy
        0s  rejected 1698: disk_busy
        0s  rejected 1699: disk_busy
        0s  rejected 1700: disk_busy
        0s  rejected 1701: disk_busy
        0s  rejected 1702: disk_busy
        0s  rejected 1703: disk_busy
        0s  rejected 1704: disk_busy
        0s  rejected 1705: disk_busy
        0s  rejected 1706: disk_busy
        0s  rejected 1707: disk_busy
        0s  rejected 1708: disk_busy
        0s  rejected 1709: disk_busy
        0s  rejected 1710: disk_busy
        0s  rejected 1711: disk_busy
        0s  rejected 1712: disk_busy
        0s  rejected 1713: disk_busy
        0s  rejected 1714: disk_busy
        0s  rejected 1715: disk_busy
        0s  rejected 1716: disk_busy
        0s  rejected 1717: disk_busy
        0s  rejected 1718: disk_busy
        0s  rejected 1719: disk_busy
        0s  rejected 1720: disk_busy
        0s  rejected 1721: disk_busy
        0s  rejected 1722: disk_busy
        0s  rejected 1723: disk_busy
        0s  rejected 1724: disk_busy
        0s  rejected 1725: disk_busy
        0s  rejected 1726: disk_busy
        0s  rejected 1727: disk_busy
        0s  rejected 1728: disk_busy
        0s  rejected 1729: disk_busy
        0s  rejected 1730: disk_busy
        0s  rejected 1731: disk_busy
        0s  rejected 1732: disk_busy
        0s  rejected 1733: disk_busy
        0s  rejected 1734: disk_busy
        0s  rejected 1735: disk_busy
        0s  rejected 1736: disk_busy
        0s  rejected 1737: disk_busy
        0s  rejected 1738: disk_busy
        0s  rejected 1739: disk_busy
        0s  rejected 1740: disk_busy
        0s  rejected 1741: disk_busy
        0s  rejected 1742: disk_busy
        0s  rejected 1743: disk_busy
        0s  rejected 1744: disk_busy
        0s  rejected 1745: disk_busy
        0s  rejected 1746: disk_busy
        0s  rejected 1747: disk_busy
        0s  rejected 1748: disk_busy
        0s  rejected 1749: disk_busy
        0s  rejected 1750: disk_busy
        0s  rejected 1751: disk_busy
        0s  rejected 1752: disk_busy
        0s  rejected 1753: disk_busy
        0s  rejected 1754: disk_busy
        0s  rejected 1755: disk_busy
        0s  rejected 1756: disk_busy
        0s  rejected 1757: disk_busy
        0s  rejected 1758: disk_busy
        0s  rejected 1759: disk_busy
        0s  rejected 1760: disk_busy
        0s  rejected 1761: disk_busy
        0s  rejected 1762: disk_busy
        0s  rejected 1763: disk_busy
        0s  rejected 1764: disk_busy
        0s  rejected 1765: disk_busy
        0s  rejected 1766: disk_busy
        0s  rejected 1767: disk_busy
        0s  rejected 1768: disk_busy
        0s  rejected 1769: disk_busy
        0s  rejected 1770: disk_busy
        0s  rejected 1771: disk_busy
        0s  rejected 1772: disk_busy
        0s  rejected 1773: disk_busy
        0s  rejected 1774: disk_busy
        0s  rejected 1775: disk_busy
        0s  rejected 1776: disk_busy
        0s  rejected 1777: disk_busy
        0s  rejected 1778: disk_busy
        0s  rejected 1779: disk_busy
        0s  rejected 1780: disk_busy
        0s  rejected 1781: disk_busy
        0s  rejected 1782: disk_busy
        0s  rejected 1783: disk_busy
        0s  rejected 1784: disk_busy
        0s  rejected 1785: disk_busy
        0s  rejected 1786: disk_busy
        0s  rejected 1787: disk_busy
        0s  rejected 1788: disk_busy
        0s  rejected 1789: disk_busy
        0s  rejected 1790: disk_busy
        0s  rejected 1791: disk_busy
        0s  rejected 1792: disk_busy
        0s  rejected 1793: disk_busy
        0s  rejected 1794: disk_busy
        0s  rejected 1795: disk_busy
        0s  rejected 1796: disk_busy
        0s  rejected 1797: disk_busy
        0s  rejected 1798: disk_busy
        0s  rejected 1799: disk_busy
        0s  rejected 1800: disk_busy
        0s  rejected 1801: disk_busy
        0s  rejected 1802: disk_busy
        0s  rejected 1803: disk_busy
        0s  rejected 1804: disk_busy
        0s  rejected 1805: disk_busy
        0s  rejected 1806: disk_busy
        0s  rejected 1807: disk_busy
        0s  rejected 1808: disk_busy
        0s  rejected 1809: disk_busy
        0s  rejected 1810: disk_busy
        0s  rejected 1811: disk_busy
        0s  rejected 1812: disk_busy
        0s  rejected 1813: disk_busy
        0s  rejected 1814: disk_busy
        0s  rejected 1815: disk_busy
        0s  rejected 1816: disk_busy
        0s  rejected 1817: disk_busy
        0s  rejected 1818: disk_busy
        0s  rejected 1819: disk_busy
        0s  rejected 1820: disk_busy
        0s  rejected 1821: disk_busy
        0s  rejected 1822: disk_busy
        0s  rejected 1823: disk_busy
        0s  rejected 1824: disk_busy
        0s  rejected 1825: disk_busy
        0s  rejected 1826: disk_busy
        0s  rejected 1827: disk_busy
        0s  rejected 1828: disk_busy
        0s  rejected 1829: disk_busy
        0s  rejected 1830: disk_busy
        0s  rejected 1831: disk_busy
        0s  rejected 1832: disk_busy
        0s  rejected 1833: disk_busy
        0s  rejected 1834: disk_busy
        0s  rejected 1835: disk_busy
        0s  rejected 1836: disk_busy
        0s  rejected 1837: disk_busy
        0s  rejected 1838: disk_busy
        0s  rejected 1839: disk_busy
        0s  rejected 1840: disk_busy
        0s  rejected 1841: disk_busy
        0s  rejected 1842: disk_busy
        0s  rejected 1843: disk_busy
        0s  rejected 1844: disk_busy
        0s  rejected 1845: disk_busy
        0s  rejected 1846: disk_busy
        0s  rejected 1847: disk_busy
        0s  rejected 1848: disk_busy
        0s  rejected 1849: disk_busy
        0s  rejected 1850: disk_busy
        0s  rejected 1851: disk_busy
        0s  rejected 1852: disk_busy
        0s  rejected 1853: disk_busy
        0s  rejected 1854: disk_busy
        0s  rejected 1855: disk_busy
        0s  rejected 1856: disk_busy
        0s  rejected 1857: disk_busy
        0s  rejected 1858: disk_busy
        0s  rejected 1859: disk_busy
        0s  rejected 1860: disk_busy
        0s  rejected 1861: disk_busy
        0s  rejected 1862: disk_busy
        0s  rejected 1863: disk_busy
        0s  rejected 1864: disk_busy
        0s  rejected 1865: disk_busy
        0s  rejected 1866: disk_busy
        0s  rejected 1867: disk_busy
        0s  rejected 1868: disk_busy
        0s  rejected 1869: disk_busy
        0s  rejected 1870: disk_busy
        0s  rejected 1871: disk_busy
        0s  rejected 1872: disk_busy
        0s  rejected 1873: disk_busy
        0s  rejected 1874: disk_busy
        0s  rejected 1875: disk_busy
        0s  rejected 1876: disk_busy
        0s  rejected 1877: disk_busy
        0s  rejected 1878: disk_busy
        0s  rejected 1879: disk_busy
        0s  rejected 1880: disk_busy
        0s  rejected 1881: disk_busy
        0s  rejected 1882: disk_busy
        0s  rejected 1883: disk_busy
        0s  rejected 1884: disk_busy
        0s  rejected 1885: disk_busy
        0s  rejected 1886: disk_busy
        0s  rejected 1887: disk_busy
        0s  rejected 1888: disk_busy
        0s  rejected 1889: disk_busy
        0s  rejected 1890: disk_busy
        0s  rejected 1891: disk_busy
        0s  rejected 1892: disk_busy
        0s  rejected 1893: disk_busy
        0s  rejected 1894: disk_busy
        0s  rejected 1895: disk_busy
        0s  rejected 1896: disk_busy
        0s  rejected 1897: disk_busy
        0s  rejected 1898: disk_busy
        0s  rejected 1899: disk_busy
        0s  rejected 1900: disk_busy
        0s  rejected 1901: disk_busy
        0s  rejected 1902: disk_busy
        0s  rejected 1903: disk_busy
        0s  rejected 1904: disk_busy
        0s  rejected 1905: disk_busy
        0s  rejected 1906: disk_busy
        0s  rejected 1907: disk_busy
        0s  rejected 1908: disk_busy
        0s  rejected 1909: disk_busy
        0s  rejected 1910: disk_busy
        0s  rejected 1911: disk_busy
        0s  rejected 1912: disk_busy
        0s  rejected 1913: disk_busy
        0s  rejected 1914: disk_busy
        0s  rejected 1915: disk_busy
        0s  rejected 1916: disk_busy
        0s  rejected 1917: disk_busy
        0s  rejected 1918: disk_busy
        0s  rejected 1919: disk_busy
        0s  rejected 1920: disk_busy
        0s  rejected 1921: disk_busy
        0s  rejected 1922: disk_busy
        0s  rejected 1923: disk_busy
        0s  rejected 1924: disk_busy
        0s  rejected 1925: disk_busy
        0s  rejected 1926: disk_busy
        0s  rejected 1927: disk_busy
        0s  rejected 1928: disk_busy
        0s  rejected 1929: disk_busy
        0s  rejected 1930: disk_busy
        0s  rejected 1931: disk_busy
        0s  rejected 1932: disk_busy
        0s  rejected 1933: disk_busy
        0s  rejected 1934: disk_busy
        0s  rejected 1935: disk_busy
        0s  rejected 1936: disk_busy
        0s  rejected 1937: disk_busy
        0s  rejected 1938: disk_busy
        0s  rejected 1939: disk_busy
        0s  rejected 1940: disk_busy
        0s  rejected 1941: disk_busy
        0s  rejected 1942: disk_busy
        0s  rejected 1943: disk_busy
        0s  rejected 1944: disk_busy
        0s  rejected 1945: disk_busy
        0s  rejected 1946: disk_busy
        0s  rejected 1947: disk_busy
        0s  rejected 1948: disk_busy
        0s  rejected 1949: disk_busy
        0s  rejected 1950: disk_busy
        0s  rejected 1951: disk_busy
        0s  rejected 1952: disk_busy
        0s  rejected 1953: disk_busy
        0s  rejected 1954: disk_busy
        0s  rejected 1955: disk_busy
        0s  rejected 1956: disk_busy
        0s  rejected 1957: disk_busy
        0s  rejected 1958: disk_busy
        0s  rejected 1959: disk_busy
        0s  rejected 1960: disk_busy
        0s  rejected 1961: disk_busy
        0s  rejected 1962: disk_busy
        0s  rejected 1963: disk_busy
        0s  rejected 1964: disk_busy
        0s  rejected 1965: disk_busy
        0s  rejected 1966: disk_busy
        0s  rejected 1967: disk_busy
        0s  rejected 1968: disk_busy
        0s  rejected 1969: disk_busy
        0s  rejected 1970: disk_busy
        0s  rejected 1971: disk_busy
        0s  rejected 1972: disk_busy
        0s  rejected 1973: disk_busy
        0s  rejected 1974: disk_busy
        0s  rejected 1975: disk_busy
        0s  rejected 1976: disk_busy
        0s  rejected 1977: disk_busy
        0s  rejected 1978: disk_busy
        0s  rejected 1979: disk_busy
        0s  rejected 1980: disk_busy
        0s  rejected 1981: disk_busy
        0s  rejected 1982: disk_busy
        0s  rejected 1983: disk_busy
        0s  rejected 1984: disk_busy
        0s  rejected 1985: disk_busy
        0s  rejected 1986: disk_busy
        0s  rejected 1987: disk_busy
        0s  rejected 1988: disk_busy
        0s  rejected 1989: disk_busy
        0s  rejected 1990: disk_busy
        0s  rejected 1991: disk_busy
        0s  rejected 1992: disk_busy
        0s  rejected 1993: disk_busy
        0s  rejected 1994: disk_busy
        0s  rejected 1995: disk_busy
        0s  rejected 1996: disk_busy
        0s  rejected 1997: disk_busy
        0s  rejected 1998: disk_busy
        0s  rejected 1999: disk_busy
        0s  rejected 2000: disk_busy
        0s  rejected 2001: disk_busy
        0s  rejected 2002: disk_busy
        0s  rejected 2003: disk_busy
        0s  rejected 2004: disk_busy
        0s  rejected 2005: disk_busy
        0s  rejected 2006: disk_busy
        0s  rejected 2007: disk_busy
        0s  rejected 2008: disk_busy
        0s  rejected 2009: disk_busy
        0s  rejected 2010: disk_busy
        0s  rejected 2011: disk_busy
        0s  rejected 2012: disk_busy
        0s  rejected 2013: disk_busy
        0s  rejected 2014: disk_busy
        0s  rejected 2015: disk_busy
        0s  rejected 2016: disk_busy
        0s  rejected 2017: disk_busy
        0s  rejected 2018: disk_busy
        0s  rejected 2019: disk_busy
        0s  rejected 2020: disk_busy
        0s  rejected 2021: disk_busy
        0s  rejected 2022: disk_busy
        0s  rejected 2023: disk_busy
        0s  rejected 2024: disk_busy
        0s  rejected 2025: disk_busy
        0s  rejected 2026: disk_busy
        0s  rejected 2027: disk_busy
        0s  rejected 2028: disk_busy
        0s  rejected 2029: disk_busy
        0s  rejected 2030: disk_busy
        0s  rejected 2031: disk_busy
        0s  rejected 2032: disk_busy
        0s  rejected 2033: disk_busy
        0s  rejected 2034: disk_busy
        0s  rejected 2035: disk_busy
        0s  rejected 2036: disk_busy
        0s  rejected 2037: disk_busy
        0s  rejected 2038: disk_busy
        0s  rejected 2039: disk_busy
        0s  rejected 2040: disk_busy
        0s  rejected 2041: disk_busy
        0s  rejected 2042: disk_busy
        0s  rejected 2043: disk_busy
        0s  rejected 2044: disk_busy
        0s  rejected 2045: disk_busy
        0s  rejected 2046: disk_busy
        0s  rejected 2047: disk_busy
        0s  rejected 2048: disk_busy
        0s  rejected 2049: disk_busy
        0s  rejected 2050: disk_busy
        0s  rejected 2051: disk_busy
        0s  rejected 2052: disk_busy
        0s  rejected 2053: disk_busy
        0s  rejected 2054: disk_busy
        0s  rejected 2055: disk_busy
        0s  rejected 2056: disk_busy
        0s  rejected 2057: disk_busy
        0s  rejected 2058: disk_busy
        0s  rejected 2059: disk_busy
        0s  rejected 2060: disk_busy
        0s  rejected 2061: disk_busy
        0s  rejected 2062: disk_busy
        0s  rejected 2063: disk_busy
        0s  rejected 2064: disk_busy
        0s  rejected 2065: disk_busy
        0s  rejected 2066: disk_busy
        0s  rejected 2067: disk_busy
        0s  rejected 2068: disk_busy
        0s  rejected 2069: disk_busy
        0s  rejected 2070: disk_busy
        0s  rejected 2071: disk_busy
        0s  rejected 2072: disk_busy
        0s  rejected 2073: disk_busy
        0s  rejected 2074: disk_busy
        0s  rejected 2075: disk_busy
        0s  rejected 2076: disk_busy
        0s  rejected 2077: disk_busy
        0s  rejected 2078: disk_busy
        0s  rejected 2079: disk_busy
        0s  rejected 2080: disk_busy
        0s  rejected 2081: disk_busy
        0s  rejected 2082: disk_busy
        0s  rejected 2083: disk_busy
        0s  rejected 2084: disk_busy
        0s  rejected 2085: disk_busy
        0s  rejected 2086: disk_busy
        0s  rejected 2087: disk_busy
        0s  rejected 2088: disk_busy
        0s  rejected 2089: disk_busy
        0s  rejected 2090: disk_busy
        0s  rejected 2091: disk_busy
        0s  rejected 2092: disk_busy
        0s  rejected 2093: disk_busy
        0s  rejected 2094: disk_busy
        0s  rejected 2095: disk_busy
        0s  rejected 2096: disk_busy
        0s  rejected 2097: disk_busy
        0s  rejected 2098: disk_busy
        0s  rejected 2099: disk_busy
        0s  rejected 2100: disk_busy
        0s  rejected 2101: disk_busy
        0s  rejected 2102: disk_busy
        0s  rejected 2103: disk_busy
        0s  rejected 2104: disk_busy
        0s  rejected 2105: disk_busy
        0s  rejected 2106: disk_busy
        0s  rejected 2107: disk_busy
        0s  rejected 2108: disk_busy
        0s  rejected 2109: disk_busy
        0s  rejected 2110: disk_busy
        0s  rejected 2111: disk_busy
        0s  rejected 2112: disk_busy
        0s  rejected 2113: disk_busy
        0s  rejected 2114: disk_busy
        0s  rejected 2115: disk_busy
        0s  rejected 2116: disk_busy
        0s  rejected 2117: disk_busy
        0s  rejected 2118: disk_busy
        0s  rejected 2119: disk_busy
        0s  rejected 2120: disk_busy
        0s  rejected 2121: disk_busy
        0s  rejected 2122: disk_busy
        0s  rejected 2123: disk_busy
        0s  rejected 2124: disk_busy
        0s  rejected 2125: disk_busy
        0s  rejected 2126: disk_busy
        0s  rejected 2127: disk_busy
        0s  rejected 2128: disk_busy
        0s  rejected 2129: disk_busy
        0s  rejected 2130: disk_busy
        0s  rejected 2131: disk_busy
        0s  rejected 2132: disk_busy
        0s  rejected 2133: disk_busy
        0s  rejected 2134: disk_busy
        0s  rejected 2135: disk_busy
        0s  rejected 2136: disk_busy
        0s  rejected 2137: disk_busy
        0s  rejected 2138: disk_busy
        0s  rejected 2139: disk_busy
        0s  rejected 2140: disk_busy
        0s  rejected 2141: disk_busy
        0s  rejected 2142: disk_busy
        0s  rejected 2143: disk_busy
        0s  rejected 2144: disk_busy
        0s  rejected 2145: disk_busy
        0s  rejected 2146: disk_busy
        0s  rejected 2147: disk_busy
        0s  rejected 2148: disk_busy
        0s  rejected 2149: disk_busy
        0s  rejected 2150: disk_busy
        0s  rejected 2151: disk_busy
        0s  rejected 2152: disk_busy
        0s  rejected 2153: disk_busy
        0s  rejected 2154: disk_busy
        0s  rejected 2155: disk_busy
        0s  rejected 2156: disk_busy
        0s  rejected 2157: disk_busy
        0s  rejected 2158: disk_busy
        0s  rejected 2159: disk_busy
        0s  rejected 2160: disk_busy
        0s  rejected 2161: disk_busy
        0s  rejected 2162: disk_busy
        0s  rejected 2163: disk_busy
        0s  rejected 2164: disk_busy
        0s  rejected 2165: disk_busy
        0s  rejected 2166: disk_busy
        0s  rejected 2167: disk_busy
        0s  rejected 2168: disk_busy
        0s  rejected 2169: disk_busy
        0s  rejected 2170: disk_busy
        0s  rejected 2171: disk_busy
        0s  rejected 2172: disk_busy
        0s  rejected 2173: disk_busy
        0s  rejected 2174: disk_busy
        0s  rejected 2175: disk_busy
        0s  rejected 2176: disk_busy
        0s  rejected 2177: disk_busy
        0s  rejected 2178: disk_busy
        0s  rejected 2179: disk_busy
        0s  rejected 2180: disk_busy
        0s  rejected 2181: disk_busy
        0s  rejected 2182: disk_busy
        0s  rejected 2183: disk_busy
        0s  rejected 2184: disk_busy
        0s  rejected 2185: disk_busy
        0s  rejected 2186: disk_busy
        0s  rejected 2187: disk_busy
        0s  rejected 2188: disk_busy
        0s  rejected 2189: disk_busy
        0s  rejected 2190: disk_busy
        0s  rejected 2191: disk_busy
        0s  rejected 2192: disk_busy
        0s  rejected 2193: disk_busy
        0s  rejected 2194: disk_busy
        0s  rejected 2195: disk_busy
        0s  rejected 2196: disk_busy
        0s  rejected 2197: disk_busy
        0s  rejected 2198: disk_busy
        0s  rejected 2199: disk_busy
        0s  rejected 2200: disk_busy
        0s  rejected 2201: disk_busy
        0s  rejected 2202: disk_busy
        0s  rejected 2203: disk_busy
        0s  rejected 2204: disk_busy
        0s  rejected 2205: disk_busy
        0s  rejected 2206: disk_busy
        0s  rejected 2207: disk_busy
        0s  rejected 2208: disk_busy
        0s  rejected 2209: disk_busy
        0s  rejected 2210: disk_busy
        0s  rejected 2211: disk_busy
        0s  rejected 2212: disk_busy
        0s  rejected 2213: disk_busy
        0s  rejected 2214: disk_busy
        0s  rejected 2215: disk_busy
        0s  rejected 2216: disk_busy
        0s  rejected 2217: disk_busy
        0s  rejected 2218: disk_busy
        0s  rejected 2219: disk_busy
        0s  rejected 2220: disk_busy
        0s  rejected 2221: disk_busy
        0s  rejected 2222: disk_busy
        0s  rejected 2223: disk_busy
        0s  rejected 2224: disk_busy
        0s  rejected 2225: disk_busy
        0s  rejected 2226: disk_busy
        0s  rejected 2227: disk_busy
        0s  rejected 2228: disk_busy
        0s  rejected 2229: disk_busy
        0s  rejected 2230: disk_busy
        0s  rejected 2231: disk_busy
        0s  rejected 2232: disk_busy
        0s  rejected 2233: disk_busy
        0s  rejected 2234: disk_busy
        0s  rejected 2235: disk_busy
        0s  rejected 2236: disk_busy
        0s  rejected 2237: disk_busy
        0s  rejected 2238: disk_busy
        0s  rejected 2239: disk_busy
        0s  rejected 2240: disk_busy
        0s  rejected 2241: disk_busy
        0s  rejected 2242: disk_busy
        0s  rejected 2243: disk_busy
        0s  rejected 2244: disk_busy
        0s  rejected 2245: disk_busy
        0s  rejected 2246: disk_busy
        0s  rejected 2247: disk_busy
        0s  rejected 2248: disk_busy
        0s  rejected 2249: disk_busy
        0s  rejected 2250: disk_busy
        0s  rejected 2251: disk_busy
        0s  rejected 2252: disk_busy
        0s  rejected 2253: disk_busy
        0s  rejected 2254: disk_busy
        0s  rejected 2255: disk_busy
        0s  rejected 2256: disk_busy
        0s  rejected 2257: disk_busy
        0s  rejected 2258: disk_busy
        0s  rejected 2259: disk_busy
        0s  rejected 2260: disk_busy
        0s  rejected 2261: disk_busy
        0s  rejected 2262: disk_busy
        0s  rejected 2263: disk_busy
        0s  rejected 2264: disk_busy
        0s  rejected 2265: disk_busy
        0s  rejected 2266: disk_busy
        0s  rejected 2267: disk_busy
        0s  rejected 2268: disk_busy
        0s  rejected 2269: disk_busy
        0s  rejected 2270: disk_busy
        0s  rejected 2271: disk_busy
        0s  rejected 2272: disk_busy
        0s  rejected 2273: disk_busy
        0s  rejected 2274: disk_busy
        0s  rejected 2275: disk_busy
        0s  rejected 2276: disk_busy
        0s  rejected 2277: disk_busy
        0s  rejected 2278: disk_busy
        0s  rejected 2279: disk_busy
        0s  rejected 2280: disk_busy
        0s  rejected 2281: disk_busy
        0s  rejected 2282: disk_busy
        0s  rejected 2283: disk_busy
        0s  rejected 2284: disk_busy
        0s  rejected 2285: disk_busy
        0s  rejected 2286: disk_busy
        0s  rejected 2287: disk_busy
        0s  rejected 2288: disk_busy
        0s  rejected 2289: disk_busy
        0s  rejected 2290: disk_busy
        0s  rejected 2291: disk_busy
        0s  rejected 2292: disk_busy
        0s  rejected 2293: disk_busy
        0s  rejected 2294: disk_busy
        0s  rejected 2295: disk_busy
        0s  rejected 2296: disk_busy
        0s  rejected 2297: disk_busy
        0s  rejected 2298: disk_busy
        0s  rejected 2299: disk_busy
        0s  rejected 2300: disk_busy
        0s  rejected 2301: disk_busy
        0s  rejected 2302: disk_busy
        0s  rejected 2303: disk_busy
        0s  rejected 2304: disk_busy
        0s  rejected 2305: disk_busy
        0s  rejected 2306: disk_busy
        0s  rejected 2307: disk_busy
        0s  rejected 2308: disk_busy
        0s  rejected 2309: disk_busy
        0s  rejected 2310: disk_busy
        0s  rejected 2311: disk_busy
        0s  rejected 2312: disk_busy
        0s  rejected 2313: disk_busy
        0s  rejected 2314: disk_busy
        0s  rejected 2315: disk_busy
        0s  rejected 2316: disk_busy
        0s  rejected 2317: disk_busy
        0s  rejected 2318: disk_busy
        0s  rejected 2319: disk_busy
        0s  rejected 2320: disk_busy
        0s  rejected 2321: disk_busy
        0s  rejected 2322: disk_busy
        0s  rejected 2323: disk_busy
        0s  rejected 2324: disk_busy
        0s  rejected 2325: disk_busy
        0s  rejected 2326: disk_busy
        0s  rejected 2327: disk_busy
        0s  rejected 2328: disk_busy
        0s  rejected 2329: disk_busy
        0s  rejected 2330: disk_busy
        0s  rejected 2331: disk_busy
        0s  rejected 2332: disk_busy
        0s  rejected 2333: disk_busy
        0s  rejected 2334: disk_busy
        0s  rejected 2335: disk_busy
        0s  rejected 2336: disk_busy
        0s  rejected 2337: disk_busy
        0s  rejected 2338: disk_busy
        0s  rejected 2339: disk_busy
        0s  rejected 2340: disk_busy
        0s  rejected 2341: disk_busy
        0s  rejected 2342: disk_busy
        0s  rejected 2343: disk_busy
        0s  rejected 2344: disk_busy
        0s  rejected 2345: disk_busy
        0s  rejected 2346: disk_busy
        0s  rejected 2347: disk_busy
        0s  rejected 2348: disk_busy
        0s  rejected 2349: disk_busy
        0s  rejected 2350: disk_busy
        0s  rejected 2351: disk_busy
        0s  rejected 2352: disk_busy
        0s  rejected 2353: disk_busy
        0s  rejected 2354: disk_busy
        0s  rejected 2355: disk_busy
        0s  rejected 2356: disk_busy
        0s  rejected 2357: disk_busy
        0s  rejected 2358: disk_busy
        0s  rejected 2359: disk_busy
        0s  rejected 2360: disk_busy
        0s  rejected 2361: disk_busy
        0s  rejected 2362: disk_busy
        0s  rejected 2363: disk_busy
        0s  rejected 2364: disk_busy
        0s  rejected 2365: disk_busy
        0s  rejected 2366: disk_busy
        0s  rejected 2367: disk_busy
        0s  rejected 2368: disk_busy
        0s  rejected 2369: disk_busy
        0s  rejected 2370: disk_busy
        0s  rejected 2371: disk_busy
        0s  rejected 2372: disk_busy
        0s  rejected 2373: disk_busy
        0s  rejected 2374: disk_busy
        0s  rejected 2375: disk_busy
        0s  rejected 2376: disk_busy
        0s  rejected 2377: disk_busy
        0s  rejected 2378: disk_busy
        0s  rejected 2379: disk_busy
        0s  rejected 2380: disk_busy
        0s  rejected 2381: disk_busy
        0s  rejected 2382: disk_busy
        0s  rejected 2383: disk_busy
        0s  rejected 2384: disk_busy
        0s  rejected 2385: disk_busy
        0s  rejected 2386: disk_busy
        0s  rejected 2387: disk_busy
        0s  rejected 2388: disk_busy
        0s  rejected 2389: disk_busy
        0s  rejected 2390: disk_busy
        0s  rejected 2391: disk_busy
        0s  rejected 2392: disk_busy
        0s  rejected 2393: disk_busy
        0s  rejected 2394: disk_busy
        0s  rejected 2395: disk_busy
        0s  rejected 2396: disk_busy
        0s  rejected 2397: disk_busy
        0s  rejected 2398: disk_busy
        0s  rejected 2399: disk_busy
        0s  rejected 2400: disk_busy
        0s  rejected 2401: disk_busy
        0s  rejected 2402: disk_busy
        0s  rejected 2403: disk_busy
        0s  rejected 2404: disk_busy
        0s  rejected 2405: disk_busy
        0s  rejected 2406: disk_busy
        0s  rejected 2407: disk_busy
        0s  rejected 2408: disk_busy
        0s  rejected 2409: disk_busy
        0s  rejected 2410: disk_busy
        0s  rejected 2411: disk_busy
        0s  rejected 2412: disk_busy
        0s  rejected 2413: disk_busy
        0s  rejected 2414: disk_busy
        0s  rejected 2415: disk_busy
        0s  rejected 2416: disk_busy
        0s  rejected 2417: disk_busy
        0s  rejected 2418: disk_busy
        0s  rejected 2419: disk_busy
        0s  rejected 2420: disk_busy
        0s  rejected 2421: disk_busy
        0s  rejected 2422: disk_busy
        0s  rejected 2423: disk_busy
        0s  rejected 2424: disk_busy
        0s  rejected 2425: disk_busy
        0s  rejected 2426: disk_busy
        0s  rejected 2427: disk_busy
        0s  rejected 2428: disk_busy
        0s  rejected 2429: disk_busy
        0s  rejected 2430: disk_busy
        0s  rejected 2431: disk_busy
        0s  rejected 2432: disk_busy
        0s  rejected 2433: disk_busy
        0s  rejected 2434: disk_busy
        0s  rejected 2435: disk_busy
        0s  rejected 2436: disk_busy
        0s  rejected 2437: disk_busy
        0s  rejected 2438: disk_busy
        0s  rejected 2439: disk_busy
        0s  rejected 2440: disk_busy
        0s  rejected 2441: disk_busy
        0s  rejected 2442: disk_busy
        0s  rejected 2443: disk_busy
        0s  rejected 2444: disk_busy
        0s  rejected 2445: disk_busy
        0s  rejected 2446: disk_busy
        0s  rejected 2447: disk_busy
        0s  rejected 2448: disk_busy
        0s  rejected 2449: disk_busy
        0s  rejected 2450: disk_busy
        0s  rejected 2451: disk_busy
        0s  rejected 2452: disk_busy
        0s  rejected 2453: disk_busy
        0s  rejected 2454: disk_busy
        0s  rejected 2455: disk_busy
        0s  rejected 2456: disk_busy
        0s  rejected 2457: disk_busy
        0s  rejected 2458: disk_busy
        0s  rejected 2459: disk_busy
        0s  rejected 2460: disk_busy
        0s  rejected 2461: disk_busy
        0s  rejected 2462: disk_busy
        0s  rejected 2463: disk_busy
        0s  rejected 2464: disk_busy
        0s  rejected 2465: disk_busy
        0s  rejected 2466: disk_busy
        0s  rejected 2467: disk_busy
        0s  rejected 2468: disk_busy
        0s  rejected 2469: disk_busy
        0s  rejected 2470: disk_busy
        0s  rejected 2471: disk_busy
        0s  rejected 2472: disk_busy
        0s  rejected 2473: disk_busy
        0s  rejected 2474: disk_busy
        0s  rejected 2475: disk_busy
        0s  rejected 2476: disk_busy
        0s  rejected 2477: disk_busy
        0s  rejected 2478: disk_busy
        0s  rejected 2479: disk_busy
        0s  rejected 2480: disk_busy
        0s  rejected 2481: disk_busy
        0s  rejected 2482: disk_busy
        0s  rejected 2483: disk_busy
        0s  rejected 2484: disk_busy
        0s  rejected 2485: disk_busy
        0s  rejected 2486: disk_busy
        0s  rejected 2487: disk_busy
        0s  rejected 2488: disk_busy
        0s  rejected 2489: disk_busy
        0s  rejected 2490: disk_busy
        0s  rejected 2491: disk_busy
        0s  rejected 2492: disk_busy
        0s  rejected 2493: disk_busy
        0s  rejected 2494: disk_busy
        0s  rejected 2495: disk_busy
        0s  rejected 2496: disk_busy
        0s  rejected 2497: disk_busy
        0s  rejected 2498: disk_busy
        0s  rejected 2499: disk_busy
        0s  rejected 2500: disk_busy
        0s  rejected 2501: disk_busy
        0s  rejected 2502: disk_busy
        0s  rejected 2503: disk_busy
        0s  rejected 2504: disk_busy
        0s  rejected 2505: disk_busy
        0s  rejected 2506: disk_busy
        0s  rejected 2507: disk_busy
        0s  rejected 2508: disk_busy
        0s  rejected 2509: disk_busy
        0s  rejected 2510: disk_busy
        0s  rejected 2511: disk_busy
        0s  rejected 2512: disk_busy
        0s  rejected 2513: disk_busy
        0s  rejected 2514: disk_busy
        0s  rejected 2515: disk_busy
        0s  rejected 2516: disk_busy
        0s  rejected 2517: disk_busy
        0s  rejected 2518: disk_busy
        0s  rejected 2519: disk_busy
        0s  rejected 2520: disk_busy
        0s  rejected 2521: disk_busy
        0s  rejected 2522: disk_busy
        0s  rejected 2523: disk_busy
        0s  rejected 2524: disk_busy
        0s  rejected 2525: disk_busy
        0s  rejected 2526: disk_busy
        0s  rejected 2527: disk_busy
        0s  rejected 2528: disk_busy
        0s  rejected 2529: disk_busy
        0s  rejected 2530: disk_busy
        0s  rejected 2531: disk_busy
        0s  rejected 2532: disk_busy
        0s  rejected 2533: disk_busy
        0s  rejected 2534: disk_busy
        0s  rejected 2535: disk_busy
        0s  rejected 2536: disk_busy
        0s  rejected 2537: disk_busy
        0s  rejected 2538: disk_busy
        0s  rejected 2539: disk_busy
        0s  rejected 2540: disk_busy
        0s  rejected 2541: disk_busy
        0s  rejected 2542: disk_busy
        0s  rejected 2543: disk_busy
        0s  rejected 2544: disk_busy
        0s  rejected 2545: disk_busy
        0s  rejected 2546: disk_busy
        0s  rejected 2547: disk_busy
        0s  rejected 2548: disk_busy
        0s  rejected 2549: disk_busy
        0s  rejected 2550: disk_busy
        0s  rejected 2551: disk_busy
        0s  rejected 2552: disk_busy
        0s  rejected 2553: disk_busy
        0s  rejected 2554: disk_busy
        0s  rejected 2555: disk_busy
        0s  rejected 2556: disk_busy
        0s  rejected 2557: disk_busy
        0s  rejected 2558: disk_busy
        0s  rejected 2559: disk_busy
        0s  rejected 2560: disk_busy
        0s  rejected 2561: disk_busy
        0s  rejected 2562: disk_busy
        0s  rejected 2563: disk_busy
        0s  rejected 2564: disk_busy
        0s  rejected 2565: disk_busy
        0s  rejected 2566: disk_busy
        0s  rejected 2567: disk_busy
        0s  rejected 2568: disk_busy
        0s  rejected 2569: disk_busy
        0s  rejected 2570: disk_busy
        0s  rejected 2571: disk_busy
        0s  rejected 2572: disk_busy
        0s  rejected 2573: disk_busy
        0s  rejected 2574: disk_busy
        0s  rejected 2575: disk_busy
        0s  rejected 2576: disk_busy
        0s  rejected 2577: disk_busy
        0s  rejected 2578: disk_busy
        0s  rejected 2579: disk_busy
        0s  rejected 2580: disk_busy
        0s  rejected 2581: disk_busy
        0s  rejected 2582: disk_busy
        0s  rejected 2583: disk_busy
        0s  rejected 2584: disk_busy
        0s  rejected 2585: disk_busy
        0s  rejected 2586: disk_busy
        0s  rejected 2587: disk_busy
        0s  rejected 2588: disk_busy
        0s  rejected 2589: disk_busy
        0s  rejected 2590: disk_busy
        0s  rejected 2591: disk_busy
        0s  rejected 2592: disk_busy
        0s  rejected 2593: disk_busy
        0s  rejected 2594: disk_busy
        0s  rejected 2595: disk_busy
        0s  rejected 2596: disk_busy
        0s  rejected 2597: disk_busy
        0s  rejected 2598: disk_busy
        0s  rejected 2599: disk_busy
        0s  rejected 2600: disk_busy
        0s  rejected 2601: disk_busy
        0s  rejected 2602: disk_busy
        0s  rejected 2603: disk_busy
        0s  rejected 2604: disk_busy
        0s  rejected 2605: disk_busy
        0s  rejected 2606: disk_busy
        0s  rejected 2607: disk_busy
        0s  rejected 2608: disk_busy
        0s  rejected 2609: disk_busy
        0s  rejected 2610: disk_busy
        0s  rejected 2611: disk_busy
        0s  rejected 2612: disk_busy
        0s  rejected 2613: disk_busy
        0s  rejected 2614: disk_busy
        0s  rejected 2615: disk_busy
        0s  rejected 2616: disk_busy
        0s  rejected 2617: disk_busy
        0s  rejected 2618: disk_busy
        0s  rejected 2619: disk_busy
        0s  rejected 2620: disk_busy
        0s  rejected 2621: disk_busy
        0s  rejected 2622: disk_busy
        0s  rejected 2623: disk_busy
        0s  rejected 2624: disk_busy
        0s  rejected 2625: disk_busy
        0s  rejected 2626: disk_busy
        0s  rejected 2627: disk_busy
        0s  rejected 2628: disk_busy
        0s  rejected 2629: disk_busy
        0s  rejected 2630: disk_busy
        0s  rejected 2631: disk_busy
        0s  rejected 2632: disk_busy
        0s  rejected 2633: disk_busy
        0s  rejected 2634: disk_busy
        0s  rejected 2635: disk_busy
        0s  rejected 2636: disk_busy
        0s  rejected 2637: disk_busy
        0s  rejected 2638: disk_busy
        0s  rejected 2639: disk_busy
        0s  rejected 2640: disk_busy
        0s  rejected 2641: disk_busy
        0s  rejected 2642: disk_busy
        0s  rejected 2643: disk_busy
        0s  rejected 2644: disk_busy
        0s  rejected 2645: disk_busy
        0s  rejected 2646: disk_busy
        0s  rejected 2647: disk_busy
        0s  rejected 2648: disk_busy
        0s  rejected 2649: disk_busy
        0s  rejected 2650: disk_busy
        0s  rejected 2651: disk_busy
        0s  rejected 2652: disk_busy
        0s  rejected 2653: disk_busy
        0s  rejected 2654: disk_busy
        0s  rejected 2655: disk_busy
        0s  rejected 2656: disk_busy
        0s  rejected 2657: disk_busy
        0s  rejected 2658: disk_busy
        0s  rejected 2659: disk_busy
        0s  rejected 2660: disk_busy
        0s  rejected 2661: disk_busy
        0s  rejected 2662: disk_busy
        0s  rejected 2663: disk_busy
        0s  rejected 2664: disk_busy
        0s  rejected 2665: disk_busy
        0s  rejected 2666: disk_busy
        0s  rejected 2667: disk_busy
        0s  rejected 2668: disk_busy
        0s  rejected 2669: disk_busy
        0s  rejected 2670: disk_busy
        0s  rejected 2671: disk_busy
        0s  rejected 2672: disk_busy
        0s  rejected 2673: disk_busy
        0s  rejected 2674: disk_busy
        0s  rejected 2675: disk_busy
        0s  rejected 2676: disk_busy
        0s  rejected 2677: disk_busy
        0s  rejected 2678: disk_busy
        0s  rejected 2679: disk_busy
        0s  rejected 2680: disk_busy
        0s  rejected 2681: disk_busy
        0s  rejected 2682: disk_busy
        0s  rejected 2683: disk_busy
        0s  rejected 2684: disk_busy
        0s  rejected 2685: disk_busy
        0s  rejected 2686: disk_busy
        0s  rejected 2687: disk_busy
        0s  rejected 2688: disk_busy
        0s  rejected 2689: disk_busy
        0s  rejected 2690: disk_busy
        0s  rejected 2691: disk_busy
        0s  rejected 2692: disk_busy
        0s  rejected 2693: disk_busy
        0s  rejected 2694: disk_busy
        0s  rejected 2695: disk_busy
        0s  rejected 2696: disk_busy
        0s  rejected 2697: disk_busy
        0s  rejected 2698: disk_busy
        0s  rejected 2699: disk_busy
        0s  rejected 2700: disk_busy
        0s  rejected 2701: disk_busy
        0s  rejected 2702: disk_busy
        0s  rejected 2703: disk_busy
        0s  rejected 2704: disk_busy
        0s  rejected 2705: disk_busy
        0s  rejected 2706: disk_busy
        0s  rejected 2707: disk_busy
        0s  rejected 2708: disk_busy
        0s  rejected 2709: disk_busy
        0s  rejected 2710: disk_busy
        0s  rejected 2711: disk_busy
        0s  rejected 2712: disk_busy
        0s  rejected 2713: disk_busy
        0s  rejected 2714: disk_busy
        0s  rejected 2715: disk_busy
        0s  rejected 2716: disk_busy
        0s  rejected 2717: disk_busy
        0s  rejected 2718: disk_busy
        0s  rejected 2719: disk_busy
        0s  rejected 2720: disk_busy
        0s  rejected 2721: disk_busy
        0s  rejected 2722: disk_busy
        0s  rejected 2723: disk_busy
        0s  rejected 2724: disk_busy
        0s  rejected 2725: disk_busy
        0s  rejected 2726: disk_busy
        0s  rejected 2727: disk_busy
        0s  rejected 2728: disk_busy
        0s  rejected 2729: disk_busy
        0s  rejected 2730: disk_busy
        0s  rejected 2731: disk_busy
        0s  rejected 2732: disk_busy
        0s  rejected 2733: disk_busy
        0s  rejected 2734: disk_busy
        0s  rejected 2735: disk_busy
        0s  rejected 2736: disk_busy
        0s  rejected 2737: disk_busy
        0s  rejected 2738: disk_busy
        0s  rejected 2739: disk_busy
        0s  rejected 2740: disk_busy
        0s  rejected 2741: disk_busy
        0s  rejected 2742: disk_busy
        0s  rejected 2743: disk_busy
        0s  rejected 2744: disk_busy
        0s  rejected 2745: disk_busy
        0s  rejected 2746: disk_busy
        0s  rejected 2747: disk_busy
        0s  rejected 2748: disk_busy
        0s  rejected 2749: disk_busy
        0s  rejected 2750: disk_busy
        0s  rejected 2751: disk_busy
        0s  rejected 2752: disk_busy
        0s  rejected 2753: disk_busy
        0s  rejected 2754: disk_busy
        0s  rejected 2755: disk_busy
        0s  rejected 2756: disk_busy
        0s  rejected 2757: disk_busy
        0s  rejected 2758: disk_busy
        0s  rejected 2759: disk_busy
        0s  rejected 2760: disk_busy
        0s  rejected 2761: disk_busy
        0s  rejected 2762: disk_busy
        0s  rejected 2763: disk_busy
        0s  rejected 2764: disk_busy
        0s  rejected 2765: disk_busy
        0s  rejected 2766: disk_busy
        0s  rejected 2767: disk_busy
        0s  rejected 2768: disk_busy
        0s  rejected 2769: disk_busy
        0s  rejected 2770: disk_busy
        0s  rejected 2771: disk_busy
        0s  rejected 2772: disk_busy
        0s  rejected 2773: disk_busy
        0s  rejected 2774: disk_busy
        0s  rejected 2775: disk_busy
        0s  rejected 2776: disk_busy
        0s  rejected 2777: disk_busy
        0s  rejected 2778: disk_busy
        0s  rejected 2779: disk_busy
        0s  rejected 2780: disk_busy
        0s  rejected 2781: disk_busy
        0s  rejected 2782: disk_busy
        0s  rejected 2783: disk_busy
        0s  rejected 2784: disk_busy
        0s  rejected 2785: disk_busy
        0s  rejected 2786: disk_busy
        0s  rejected 2787: disk_busy
        0s  rejected 2788: disk_busy
        0s  rejected 2789: disk_busy
        0s  rejected 2790: disk_busy
        0s  rejected 2791: disk_busy
        0s  rejected 2792: disk_busy
        0s  rejected 2793: disk_busy
        0s  rejected 2794: disk_busy
        0s  rejected 2795: disk_busy
        0s  rejected 2796: disk_busy
        0s  rejected 2797: disk_busy
        0s  rejected 2798: disk_busy
        0s  rejected 2799: disk_busy
        0s  rejected 2800: disk_busy
        0s  rejected 2801: disk_busy
        0s  rejected 2802: disk_busy
        0s  rejected 2803: disk_busy
        0s  rejected 2804: disk_busy
        0s  rejected 2805: disk_busy
        0s  rejected 2806: disk_busy
        0s  rejected 2807: disk_busy
        0s  rejected 2808: disk_busy
        0s  rejected 2809: disk_busy
        0s  rejected 2810: disk_busy
        0s  rejected 2811: disk_busy
        0s  rejected 2812: disk_busy
        0s  rejected 2813: disk_busy
        0s  rejected 2814: disk_busy
        0s  rejected 2815: disk_busy
        0s  rejected 2816: disk_busy
        0s  rejected 2817: disk_busy
        0s  rejected 2818: disk_busy
        0s  rejected 2819: disk_busy
        0s  rejected 2820: disk_busy
        0s  rejected 2821: disk_busy
        0s  rejected 2822: disk_busy
        0s  rejected 2823: disk_busy
        0s  rejected 2824: disk_busy
        0s  rejected 2825: disk_busy
        0s  rejected 2826: disk_busy
        0s  rejected 2827: disk_busy
        0s  rejected 2828: disk_busy
        0s  rejected 2829: disk_busy
        0s  rejected 2830: disk_busy
        0s  rejected 2831: disk_busy
        0s  rejected 2832: disk_busy
        0s  rejected 2833: disk_busy
        0s  rejected 2834: disk_busy
        0s  rejected 2835: disk_busy
        0s  rejected 2836: disk_busy
        0s  rejected 2837: disk_busy
        0s  rejected 2838: disk_busy
        0s  rejected 2839: disk_busy
        0s  rejected 2840: disk_busy
        0s  rejected 2841: disk_busy
        0s  rejected 2842: disk_busy
        0s  rejected 2843: disk_busy
        0s  rejected 2844: disk_busy
        0s  rejected 2845: disk_busy
        0s  rejected 2846: disk_busy
        0s  rejected 2847: disk_busy
        0s  rejected 2848: disk_busy
        0s  rejected 2849: disk_busy
        0s  rejected 2850: disk_busy
        0s  rejected 2851: disk_busy
        0s  rejected 2852: disk_busy
        0s  rejected 2853: disk_busy
        0s  rejected 2854: disk_busy
        0s  rejected 2855: disk_busy
        0s  rejected 2856: disk_busy
        0s  rejected 2857: disk_busy
        0s  rejected 2858: disk_busy
        0s  rejected 2859: disk_busy
        0s  rejected 2860: disk_busy
        0s  rejected 2861: disk_busy
        0s  rejected 2862: disk_busy
        0s  rejected 2863: disk_busy
        0s  rejected 2864: disk_busy
        0s  rejected 2865: disk_busy
        0s  rejected 2866: disk_busy
        0s  rejected 2867: disk_busy
        0s  rejected 2868: disk_busy
        0s  rejected 2869: disk_busy
        0s  rejected 2870: disk_busy
        0s  rejected 2871: disk_busy
        0s  rejected 2872: disk_busy
        0s  rejected 2873: disk_busy
        0s  rejected 2874: disk_busy
        0s  rejected 2875: disk_busy
        0s  rejected 2876: disk_busy
        0s  rejected 2877: disk_busy
        0s  rejected 2878: disk_busy
        0s  rejected 2879: disk_busy
        0s  rejected 2880: disk_busy
        0s  rejected 2881: disk_busy
        0s  rejected 2882: disk_busy
        0s  rejected 2883: disk_busy
        0s  rejected 2884: disk_busy
        0s  rejected 2885: disk_busy
        0s  rejected 2886: disk_busy
        0s  rejected 2887: disk_busy
        0s  rejected 2888: disk_busy
        0s  rejected 2889: disk_busy
        0s  rejected 2890: disk_busy
        0s  rejected 2891: disk_busy
        0s  rejected 2892: disk_busy
        0s  rejected 2893: disk_busy
        0s  rejected 2894: disk_busy
        0s  rejected 2895: disk_busy
        0s  rejected 2896: disk_busy
        0s  rejected 2897: disk_busy
        0s  rejected 2898: disk_busy
        0s  rejected 2899: disk_busy
        0s  rejected 2900: disk_busy
        0s  rejected 2901: disk_busy
        0s  rejected 2902: disk_busy
        0s  rejected 2903: disk_busy
        0s  rejected 2904: disk_busy
        0s  rejected 2905: disk_busy
        0s  rejected 2906: disk_busy
        0s  rejected 2907: disk_busy
        0s  rejected 2908: disk_busy
        0s  rejected 2909: disk_busy
        0s  rejected 2910: disk_busy
        0s  rejected 2911: disk_busy
        0s  rejected 2912: disk_busy
        0s  rejected 2913: disk_busy
        0s  rejected 2914: disk_busy
        0s  rejected 2915: disk_busy
        0s  rejected 2916: disk_busy
        0s  rejected 2917: disk_busy
        0s  rejected 2918: disk_busy
        0s  rejected 2919: disk_busy
        0s  rejected 2920: disk_busy
        0s  rejected 2921: disk_busy
        0s  rejected 2922: disk_busy
        0s  rejected 2923: disk_busy
        0s  rejected 2924: disk_busy
        0s  rejected 2925: disk_busy
        0s  rejected 2926: disk_busy
        0s  rejected 2927: disk_busy
        0s  rejected 2928: disk_busy
        0s  rejected 2929: disk_busy
        0s  rejected 2930: disk_busy
        0s  rejected 2931: disk_busy
        0s  rejected 2932: disk_busy
        0s  rejected 2933: disk_busy
        0s  rejected 2934: disk_busy
        0s  rejected 2935: disk_busy
        0s  rejected 2936: disk_busy
        0s  rejected 2937: disk_busy
        0s  rejected 2938: disk_busy
        0s  rejected 2939: disk_busy
        0s  rejected 2940: disk_busy
        0s  rejected 2941: disk_busy
        0s  rejected 2942: disk_busy
        0s  rejected 2943: disk_busy
        0s  rejected 2944: disk_busy
        0s  rejected 2945: disk_busy
        0s  rejected 2946: disk_busy
        0s  rejected 2947: disk_busy
        0s  rejected 2948: disk_busy
        0s  rejected 2949: disk_busy
        0s  rejected 2950: disk_busy
        0s  rejected 2951: disk_busy
        0s  rejected 2952: disk_busy
        0s  rejected 2953: disk_busy
        0s  rejected 2954: disk_busy
        0s  rejected 2955: disk_busy
        0s  rejected 2956: disk_busy
        0s  rejected 2957: disk_busy
        0s  rejected 2958: disk_busy
        0s  rejected 2959: disk_busy
        0s  rejected 2960: disk_busy
        0s  rejected 2961: disk_busy
        0s  rejected 2962: disk_busy
        0s  rejected 2963: disk_busy
        0s  rejected 2964: disk_busy
        0s  rejected 2965: disk_busy
        0s  rejected 2966: disk_busy
        0s  rejected 2967: disk_busy
        0s  rejected 2968: disk_busy
        0s  rejected 2969: disk_busy
        0s  rejected 2970: disk_busy
        0s  rejected 2971: disk_busy
        0s  rejected 2972: disk_busy
        0s  rejected 2973: disk_busy
        0s  rejected 2974: disk_busy
        0s  rejected 2975: disk_busy
        0s  rejected 2976: disk_busy
        0s  rejected 2977: disk_busy
        0s  rejected 2978: disk_busy
        0s  rejected 2979: disk_busy
        0s  rejected 2980: disk_busy
        0s  rejected 2981: disk_busy
        0s  rejected 2982: disk_busy
        0s  rejected 2983: disk_busy
        0s  rejected 2984: disk_busy
        0s  rejected 2985: disk_busy
        0s  rejected 2986: disk_busy
        0s  rejected 2987: disk_busy
        0s  rejected 2988: disk_busy
        0s  rejected 2989: disk_busy
        0s  rejected 2990: disk_busy
        0s  rejected 2991: disk_busy
        0s  rejected 2992: disk_busy
        0s  rejected 2993: disk_busy
        0s  rejected 2994: disk_busy
        0s  rejected 2995: disk_busy
        0s  rejected 2996: disk_busy
        0s  rejected 2997: disk_busy
        0s  rejected 2998: disk_busy
        0s  rejected 2999: disk_busy
        0s  rejected 3000: disk_busy
        0s  spill began
        50ms  disk is failed
        50ms  rejected x: disk_failed
        50ms  sent 1-238
        50ms  spill ended: 238 in 50ms
        50ms  left (client)
    "#]]);
}

#[test]
fn a_damaged_part_is_counted_and_told_and_what_comes_after_it_is_sent() {
    let script = "offer 1-40 size=100000, +50ms, disk damages 10 12, room 99 99999999, room 99 99999999, offer 41, room 9, books";
    check(spilling(), script, expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spilled 7
        0s  spilled 8
        0s  spilled 9
        0s  spilled 10
        0s  spilled 11
        0s  spilled 12
        0s  spilled 13
        0s  spilled 14
        0s  rejected 15: disk_busy
        0s  rejected 16: disk_busy
        0s  rejected 17: disk_busy
        0s  rejected 18: disk_busy
        0s  rejected 19: disk_busy
        0s  rejected 20: disk_busy
        0s  rejected 21: disk_busy
        0s  rejected 22: disk_busy
        0s  rejected 23: disk_busy
        0s  rejected 24: disk_busy
        0s  rejected 25: disk_busy
        0s  rejected 26: disk_busy
        0s  rejected 27: disk_busy
        0s  rejected 28: disk_busy
        0s  rejected 29: disk_busy
        0s  rejected 30: disk_busy
        0s  rejected 31: disk_busy
        0s  rejected 32: disk_busy
        0s  rejected 33: disk_busy
        0s  rejected 34: disk_busy
        0s  rejected 35: disk_busy
        0s  rejected 36: disk_busy
        0s  rejected 37: disk_busy
        0s  rejected 38: disk_busy
        0s  rejected 39: disk_busy
        0s  rejected 40: disk_busy
        0s  spill began
        50ms  sent 1-12
        50ms  overflow began
        50ms  spill ended: 10 in 50ms
        50ms  sent 13-14
        50ms  overflow ended: 26 lost
        50ms  told: missed 26 of t, 15 to 40: rejected
        50ms  sent 41
        50ms  books of t: 41 offered 15 sent 15 delivered 10 spilled 26 rejected
        50ms  1 links, 0 messages resident
    "#]]);
    let script = "offer 1-40 size=100000, +50ms, disk damages 5 30, room 99 99999999, ack 1-4, room 99 99999999, \
                  ack 31-34, room 99 99999999, ack 35-38, room 99 99999999, ack 39-40, books";
    check(lossless(4), script, expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spilled 7
        0s  spilled 8
        0s  spilled 9
        0s  spilled 10
        0s  spilled 11
        0s  spilled 12
        0s  spilled 13
        0s  spilled 14
        0s  rejected 15: disk_busy
        0s  rejected 16: disk_busy
        0s  rejected 17: disk_busy
        0s  rejected 18: disk_busy
        0s  rejected 19: disk_busy
        0s  rejected 20: disk_busy
        0s  rejected 21: disk_busy
        0s  rejected 22: disk_busy
        0s  rejected 23: disk_busy
        0s  rejected 24: disk_busy
        0s  rejected 25: disk_busy
        0s  rejected 26: disk_busy
        0s  rejected 27: disk_busy
        0s  rejected 28: disk_busy
        0s  rejected 29: disk_busy
        0s  rejected 30: disk_busy
        0s  rejected 31: disk_busy
        0s  rejected 32: disk_busy
        0s  rejected 33: disk_busy
        0s  rejected 34: disk_busy
        0s  rejected 35: disk_busy
        0s  rejected 36: disk_busy
        0s  rejected 37: disk_busy
        0s  rejected 38: disk_busy
        0s  rejected 39: disk_busy
        0s  rejected 40: disk_busy
        0s  spill began
        50ms  sent 1-4 (attempt 1)
        50ms  acked 1
        50ms  acked 2
        50ms  acked 3
        50ms  acked 4
        50ms  sent 5-8 (attempt 1)
        50ms  acked 31: unknown
        50ms  acked 32: unknown
        50ms  acked 33: unknown
        50ms  acked 34: unknown
        50ms  acked 35: unknown
        50ms  acked 36: unknown
        50ms  acked 37: unknown
        50ms  acked 38: unknown
        50ms  acked 39: unknown
        50ms  acked 40: unknown
        50ms  books of t: 40 offered 8 sent 4 delivered 10 spilled 26 rejected
        50ms  1 links, 10 messages resident
    "#]]);
}

#[test]
fn of_a_damaged_part_each_lane_loses_what_was_for_it() {
    let script = "join bob /a, bob: subscribe, offer 1-5 size=100000, offer a to=bob size=100000, offer b to=ann size=100000, \
                  offer c except=bob size=100000, offer 6-40 size=100000, +50ms, disk damages a 8, \
                  room 99 99999999, bob: room 99 99999999, room 99 99999999, bob: room 99 99999999, books";
    check(spilling(), script, expect![[r#"
        0s  bob: joined /a
        0s  bob: subscribed to t
        0s  spilled 5 (2 of 2)
        0s  spill began
        0s  bob: spill began
        0s  spilled a
        0s  spilled b
        0s  spilled c
        0s  spilled 6 (2 of 2)
        0s  spilled 7 (2 of 2)
        0s  spilled 8 (2 of 2)
        0s  spilled 9 (2 of 2)
        0s  spilled 10 (2 of 2)
        0s  spilled 11 (2 of 2)
        0s  spilled 12 (2 of 2)
        0s  spilled 13 (2 of 2)
        0s  spilled 14 (2 of 2)
        0s  spilled 15 (2 of 2)
        0s  spilled 16 (2 of 2)
        0s  spilled 17 (2 of 2)
        0s  spilled 18 (2 of 2)
        0s  spilled 19 (2 of 2)
        0s  spilled 20 (2 of 2)
        0s  spilled 21 (2 of 2)
        0s  rejected 22: disk_busy (2 of 2)
        0s  rejected 23: disk_busy (2 of 2)
        0s  rejected 24: disk_busy (2 of 2)
        0s  rejected 25: disk_busy (2 of 2)
        0s  rejected 26: disk_busy (2 of 2)
        0s  rejected 27: disk_busy (2 of 2)
        0s  rejected 28: disk_busy (2 of 2)
        0s  rejected 29: disk_busy (2 of 2)
        0s  rejected 30: disk_busy (2 of 2)
        0s  rejected 31: disk_busy (2 of 2)
        0s  rejected 32: disk_busy (2 of 2)
        0s  rejected 33: disk_busy (2 of 2)
        0s  rejected 34: disk_busy (2 of 2)
        0s  rejected 35: disk_busy (2 of 2)
        0s  rejected 36: disk_busy (2 of 2)
        0s  rejected 37: disk_busy (2 of 2)
        0s  rejected 38: disk_busy (2 of 2)
        0s  rejected 39: disk_busy (2 of 2)
        0s  rejected 40: disk_busy (2 of 2)
        50ms  sent 1-4
        50ms  overflow began
        50ms  sent 5
        50ms  told: missed 5 of t, 6 to 11: damaged
        50ms  sent 9-17
        50ms  spill ended: 14 in 50ms
        50ms  sent 18-21
        50ms  overflow ended: 24 lost
        50ms  bob: told: subscribed to t after 0
        50ms  bob: sent 1-4
        50ms  bob: overflow began
        50ms  bob: sent 5
        50ms  bob: told: missed 4 of t, 6 to 11: damaged
        50ms  bob: sent 9-17
        50ms  bob: spill ended: 14 in 50ms
        50ms  bob: sent 18-21
        50ms  bob: overflow ended: 23 lost
        50ms  books of t: 83 offered 36 sent 36 delivered 37 spilled 38 rejected 9 lost on disk
        50ms  2 links, 0 messages resident
    "#]]);
}

#[test]
fn lanes_at_one_place_share_a_read_and_reads_may_be_answered_in_any_order() {
    let script = "join bob /a, bob: subscribe, join cat /a, cat: subscribe, offer 1-40 size=100000, +50ms, disk waits, disk tells, \
                  cat: room 9 900000, room 9 500000, bob: room 9 500000, disk step 2, disk step, \
                  disk goes on, room 99 99999999, bob: room 99 99999999, cat: room 99 99999999, leave, bob: leave, cat: leave";
    check(spilling(), script, expect![[""]]);
}

#[test]
fn a_lane_that_leaves_while_it_is_read_for_is_not_missed() {
    let script = "offer 1-40 size=100000, +50ms, disk waits, room 9 400000, leave, disk goes on, books, +6s, tick";
    check(spilling(), script, expect![[r#"
        0s  spilled 5
        0s  spilled 6
        0s  spilled 7
        0s  spilled 8
        0s  spilled 9
        0s  spilled 10
        0s  spilled 11
        0s  spilled 12
        0s  spilled 13
        0s  spilled 14
        0s  rejected 15: disk_busy
        0s  rejected 16: disk_busy
        0s  rejected 17: disk_busy
        0s  rejected 18: disk_busy
        0s  rejected 19: disk_busy
        0s  rejected 20: disk_busy
        0s  rejected 21: disk_busy
        0s  rejected 22: disk_busy
        0s  rejected 23: disk_busy
        0s  rejected 24: disk_busy
        0s  rejected 25: disk_busy
        0s  rejected 26: disk_busy
        0s  rejected 27: disk_busy
        0s  rejected 28: disk_busy
        0s  rejected 29: disk_busy
        0s  rejected 30: disk_busy
        0s  rejected 31: disk_busy
        0s  rejected 32: disk_busy
        0s  rejected 33: disk_busy
        0s  rejected 34: disk_busy
        0s  rejected 35: disk_busy
        0s  rejected 36: disk_busy
        0s  rejected 37: disk_busy
        0s  rejected 38: disk_busy
        0s  rejected 39: disk_busy
        0s  rejected 40: disk_busy
        0s  spill began
        50ms  sent 1-4
        50ms  spill ended: 4 in 50ms
        50ms  left (client)
        50ms  books of t: 40 offered 4 sent 4 delivered 10 spilled 26 rejected 10 abandoned
        50ms  1 links, 0 messages resident
    "#]]);
}
